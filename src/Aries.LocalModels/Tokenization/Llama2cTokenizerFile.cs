namespace Aries;

/// <summary>Finds the tokenizer that belongs to a llama2.c checkpoint.</summary>
internal static class Llama2cTokenizerFile
{
    /// <summary>Returns <c>tokenizer.bin</c> beside a checkpoint, else the only <c>tok*.bin</c> there, else null.</summary>
    public static string? Find(string checkpointPath)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(checkpointPath))!;
        string usual = Path.Combine(folder, "tokenizer.bin");
        if (File.Exists(usual))
        {
            return usual;
        }

        string[] others = Directory.GetFiles(folder, "tok*.bin");
        return others.Length == 1 ? others[0] : null;
    }
}
