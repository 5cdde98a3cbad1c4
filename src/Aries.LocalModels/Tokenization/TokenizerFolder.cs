namespace Aries;

/// <summary>Finds and reads the tokenizer of a model.</summary>
internal static class TokenizerFolder
{
    /// <summary>Reads <c>tokenizer.json</c> or else llama2.c's <c>tokenizer.bin</c> of a folder, or the tokenizer beside a llama2.c checkpoint file.</summary>
    /// <exception cref="ModelFormatException">There is none, or it is damaged or of a kind that the engine does not read.</exception>
    public static ITextTokenizer Load(string modelPath)
    {
        if (File.Exists(modelPath))
        {
            return Llama2cTokenizerReader.Read(
                Llama2cTokenizerFile.Find(modelPath)
                ?? throw new ModelFormatException(modelPath, "there is no tokenizer beside the checkpoint.", "Put its tokenizer.bin into the same folder."));
        }

        string binary = Path.Combine(modelPath, "tokenizer.bin");
        return !File.Exists(Path.Combine(modelPath, "tokenizer.json")) && File.Exists(binary)
            ? Llama2cTokenizerReader.Read(binary)
            : TokenizerJsonReader.Read(modelPath);
    }
}
