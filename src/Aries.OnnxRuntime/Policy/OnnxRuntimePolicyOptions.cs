namespace Aries.OnnxRuntime;

/// <summary>How <see cref="OnnxRuntimePolicyModel"/> loads and runs a model.</summary>
/// <threadsafety>Not thread-safe while it is being changed; what it is given to copies it.</threadsafety>
public sealed record OnnxRuntimePolicyOptions
{
    /// <summary>Gets or sets the LoRA adapter's folder, in PEFT layout. The model must take one: <see cref="GenAIModelOptions.AdapterTargets"/>.</summary>
    /// <value>The default is null: none.</value>
    public string? AdapterPath { get; set; }

    /// <summary>Gets or sets the chat template that renders prompts.</summary>
    /// <value>The default is null: the one that the model's folder names; a model that names none gets the texts as they are.</value>
    public ChatTemplate? ChatTemplate { get; set; }

    /// <summary>Gets or sets the longest prompt and response together, in tokens, where it is to be shorter than the model allows.</summary>
    /// <value>2 or more; more than the model's own length changes nothing. The default is null: the model's own.</value>
    public int? ContextLength { get; set; }

    /// <summary>Gets or sets the number of threads.</summary>
    /// <value>1 or more. The default is null: one a core, as ONNX Runtime counts them.</value>
    public int? ThreadCount { get; set; }

    /// <summary>Gets or sets how many responses are decoded at once; further requests of a batch wait for a place.</summary>
    /// <value>1 or more. The default is 32. Memory grows with it, for each place has its own keys and values, as long as the longest request asks for.</value>
    public int MaxBatchSize { get; set; } = 32;

    /// <summary>Gets or sets how many tokens of a prompt a pass computes at most.</summary>
    /// <value>1 or more. The default is 128. Memory grows with it where responses are scored: a pass gives the logits of each of their tokens.</value>
    public int PrefillLength { get; set; } = 128;

    /// <summary>Gets or sets whether keys and values of a call are kept for the next ones: a prompt that begins as an earlier one, or goes on from an earlier response, is computed from there.</summary>
    /// <value>
    /// The default is true. What lies in a place is kept until another response needs the place; memory holds it twice only while longer requests make the places longer. False makes a call's responses depend on that call alone, to the last bit.
    /// </value>
    public bool KeepsPrompts { get; set; } = true;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">A path is empty.</exception>
    public void Validate()
    {
        if (AdapterPath is not null && string.IsNullOrWhiteSpace(AdapterPath))
        {
            throw new ArgumentException("AdapterPath must be a path; null means none.", nameof(AdapterPath));
        }

        if (ContextLength is < 2)
        {
            throw new ArgumentOutOfRangeException(nameof(ContextLength), ContextLength, "ContextLength must be 2 or more: a token to read and one to write; null takes the model's own.");
        }

        if (ThreadCount is < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(ThreadCount), ThreadCount, "ThreadCount must be 1 or more; null takes one a core.");
        }

        if (MaxBatchSize < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxBatchSize), MaxBatchSize, "MaxBatchSize must be 1 or more.");
        }

        if (PrefillLength < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(PrefillLength), PrefillLength, "PrefillLength must be 1 or more.");
        }
    }
}
