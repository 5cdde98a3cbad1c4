namespace Aries;

/// <summary>Weights on disk: a model folder in Hugging Face layout, and a LoRA adapter folder in PEFT layout where there is one.</summary>
/// <remarks>The checkpoint folder is the interchange: trainers write it, every engine reads it, so training and generation may run on different engines.</remarks>
/// <threadsafety>Immutable.</threadsafety>
public sealed record PolicyCheckpoint
{
    /// <summary>Creates a checkpoint.</summary>
    /// <param name="modelPath">The model folder (or file, for an engine that reads one).</param>
    /// <param name="adapterPath">The adapter folder, or null for none.</param>
    /// <exception cref="ArgumentException">A path is empty, or <paramref name="modelPath"/> is null.</exception>
    public PolicyCheckpoint(string modelPath, string? adapterPath = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        if (adapterPath is not null)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(adapterPath);
        }

        (ModelPath, AdapterPath) = (modelPath, adapterPath);
    }

    /// <summary>Gets the model folder, or file.</summary>
    public string ModelPath { get; }

    /// <summary>Gets the adapter folder, or null for none.</summary>
    public string? AdapterPath { get; }
}
