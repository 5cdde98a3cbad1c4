namespace Aries;

/// <summary>Checks the checkpoint folder that a command left.</summary>
internal static class TrainedFolder
{
    private static readonly string[] TokenizerFiles = ["tokenizer.json", "tokenizer.model", "vocab.json"];

    /// <summary>Returns the checkpoint in a folder: an adapter of the policy's model, or a model.</summary>
    public static PolicyCheckpoint Open(string folder, PolicyCheckpoint policy) => File.Exists(Path.Combine(folder, "adapter_config.json"))
        ? new PolicyCheckpoint(policy.ModelPath, folder)
        : new PolicyCheckpoint(folder);

    /// <summary>Checks that a folder holds a whole checkpoint: its files are there, and the loader reads every tensor of them.</summary>
    /// <returns>The checkpoint's fingerprint.</returns>
    /// <exception cref="ExternalTrainingException">It does not.</exception>
    public static async Task<string> VerifyAsync(string folder, PolicyCheckpoint policy, IPolicyModelLoader loader, CancellationToken cancellationToken)
    {
        if (FindProblem(folder) is { } problem)
        {
            throw new ExternalTrainingException($"The command ended well, but {problem}.", "Let it save the model and the tokenizer, as safetensors, to {output}.");
        }

        try
        {
            return await loader.GetFingerprintAsync(Open(folder, policy), cancellationToken).ConfigureAwait(false);
        }
        catch (AriesException exception)
        {
            throw new ExternalTrainingException(
                $"The command ended well, but its checkpoint cannot be read: {exception.Message}", "See that it writes all files before it ends, and that the disk has room.", innerException: exception);
        }
    }

    private static string? FindProblem(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return $"there is no folder {folder}";
        }

        if (File.Exists(Path.Combine(folder, "adapter_config.json")))
        {
            return null;
        }

        if (!File.Exists(Path.Combine(folder, "config.json")))
        {
            return $"{folder} holds no config.json";
        }

        return Array.Exists(TokenizerFiles, name => File.Exists(Path.Combine(folder, name)))
            ? null
            : $"{folder} holds no tokenizer ({string.Join(", ", TokenizerFiles)})";
    }
}
