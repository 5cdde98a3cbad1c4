namespace Aries;

/// <summary>The files of a model folder that stay the same whatever form the weights take: tokenizer, chat template, generation configuration, licence.</summary>
internal static class CompanionFiles
{
    private static readonly string[] Names =
    [
        "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
        "tokenizer.model", "tokenizer.bin", "chat_template.jinja", "chat_template.json", "LICENSE", "NOTICE",
    ];

    /// <summary>Copies those that a folder has.</summary>
    public static void Copy(string sourceFolder, string targetFolder)
    {
        foreach (string name in Names)
        {
            if (File.Exists(Path.Combine(sourceFolder, name)))
            {
                CopyFile(Path.Combine(sourceFolder, name), Path.Combine(targetFolder, name));
            }
        }
    }

    /// <summary>Copies one file, whole and flushed to disk.</summary>
    public static void CopyFile(string source, string target)
    {
        using FileStream stream = File.OpenRead(source);
        AtomicOutput.WriteFile(target, stream.CopyTo);
    }
}
