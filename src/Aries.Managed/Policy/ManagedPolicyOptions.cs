namespace Aries.Managed;

/// <summary>How <see cref="ManagedPolicyModel"/> loads and runs a model.</summary>
/// <threadsafety>Not thread-safe while it is being changed; what it is given to copies it.</threadsafety>
public sealed record ManagedPolicyOptions
{
    /// <summary>Gets or sets the LoRA adapter's folder, in PEFT layout.</summary>
    /// <value>The default is null: none.</value>
    public string? AdapterPath { get; set; }

    /// <summary>Gets or sets the tokenizer's file or folder, where it does not lie with the model: a llama2.c checkpoint comes with a file of its own.</summary>
    /// <value>The default is null: the model's folder; for a llama2.c file, the one tokenizer file beside it.</value>
    public string? TokenizerPath { get; set; }

    /// <summary>Gets or sets the chat template that renders prompts.</summary>
    /// <value>The default is null: the one that the model's folder names; a model that names none gets the texts as they are.</value>
    public ChatTemplate? ChatTemplate { get; set; }

    /// <summary>Gets or sets the longest prompt and response together, in tokens, where it is to be shorter than the model allows.</summary>
    /// <value>2 or more; more than the model's own length changes nothing. The default is null: the model's own.</value>
    public int? ContextLength { get; set; }

    /// <summary>Gets or sets how the weights are kept in memory. Fewer bytes a weight are more tokens a second, and change the responses.</summary>
    /// <value>The default is <see cref="WeightStorage.Float32"/>: what the checkpoint holds, exactly.</value>
    public WeightStorage WeightStorage { get; set; }

    /// <summary>Gets or sets the number of threads.</summary>
    /// <value>1 or more. The default is null: one a processor, shared with every other model of the process. Results do not depend on it.</value>
    public int? ThreadCount { get; set; }

    /// <summary>Gets or sets how many responses are decoded at once; further requests of a batch wait for a place.</summary>
    /// <value>1 or more. The default is 128. Results do not depend on it; memory grows with it, for each place has its own keys and values.</value>
    public int MaxBatchSize { get; set; } = 128;

    /// <summary>Gets or sets how many prompt tokens a pass computes at most; more share the reading of the weights.</summary>
    /// <value>1 or more. The default is 256. Results do not depend on it.</value>
    public int PrefillLength { get; set; } = 256;

    /// <summary>Gets or sets which responses are decoded by prompt lookup: tokens that stood in the prompt, or in what is being rewritten, are guessed several at a time and checked in one pass.</summary>
    /// <value>The default is <see cref="PromptLookup.Predicted"/>. Results do not depend on it, bit for bit.</value>
    public PromptLookup PromptLookup { get; set; } = PromptLookup.Predicted;

    /// <summary>Gets or sets how many tokens a pass guesses at most for one response. Fewer are guessed where guesses were wrong, and where many responses share the pass.</summary>
    /// <value>1 or more. The default is 16. Results do not depend on it.</value>
    public int MaxDraftLength { get; set; } = 16;

    /// <summary>Gets or sets how much memory the keys and values of earlier calls may take, in bytes: a prompt that begins as an earlier one, or goes on from an earlier response, is computed from there.</summary>
    /// <value>0 or more; 0 keeps nothing, and prompts of one call still share. The default is 256 MiB; no more is taken than there is to keep. Results do not depend on it, bit for bit.</value>
    public long PromptCacheBytes { get; set; } = 256L << 20;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">A path is empty.</exception>
    public void Validate()
    {
        CheckPath(AdapterPath, nameof(AdapterPath));
        CheckPath(TokenizerPath, nameof(TokenizerPath));
        if (ContextLength is < 2)
        {
            throw new ArgumentOutOfRangeException(nameof(ContextLength), ContextLength, "ContextLength must be 2 or more: a token to read and one to write; null takes the model's own.");
        }

        if (!Enum.IsDefined(WeightStorage))
        {
            throw new ArgumentOutOfRangeException(nameof(WeightStorage), WeightStorage, "WeightStorage must be Float32, BFloat16 or Int8.");
        }

        if (ThreadCount is < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(ThreadCount), ThreadCount, "ThreadCount must be 1 or more; null takes one a processor.");
        }

        if (MaxBatchSize < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxBatchSize), MaxBatchSize, "MaxBatchSize must be 1 or more.");
        }

        if (PrefillLength < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(PrefillLength), PrefillLength, "PrefillLength must be 1 or more.");
        }

        if (!Enum.IsDefined(PromptLookup))
        {
            throw new ArgumentOutOfRangeException(nameof(PromptLookup), PromptLookup, "PromptLookup must be Off, Predicted or Always.");
        }

        if (MaxDraftLength < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxDraftLength), MaxDraftLength, "MaxDraftLength must be 1 or more; PromptLookup.Off guesses nothing.");
        }

        if (PromptCacheBytes < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(PromptCacheBytes), PromptCacheBytes, "PromptCacheBytes must be 0 or more; 0 keeps nothing between calls.");
        }
    }

    private static void CheckPath(string? path, string name)
    {
        if (path is not null && string.IsNullOrWhiteSpace(path))
        {
            throw new ArgumentException($"{name} must be a path; null means none.", name);
        }
    }
}
