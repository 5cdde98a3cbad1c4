namespace Aries.OnnxRuntime;

/// <summary>How <see cref="OnnxRewardScorer"/> loads and asks a reward model.</summary>
/// <threadsafety>Not thread-safe while it is being changed; what it is given to copies it.</threadsafety>
public sealed record OnnxRewardOptions
{
    /// <summary>The slot of <see cref="PairTemplate"/> that the prompt's text fills.</summary>
    public const string PromptSlot = "{prompt}";

    /// <summary>The slot of <see cref="PairTemplate"/> that the response fills.</summary>
    public const string ResponseSlot = "{response}";

    /// <summary>Gets or sets the graph's file in the folder.</summary>
    /// <value>A plain file name. The default is <c>model.onnx</c>.</value>
    public string GraphFile { get; set; } = "model.onnx";

    /// <summary>Gets or sets the text that a prompt and a response are put into, with one <c>{prompt}</c> before one <c>{response}</c>.</summary>
    /// <value>
    /// The default is null: the chat template that the folder names, with the end of the response's turn. Text around the slots is read for special tokens; what fills them never is.
    /// A prompt of several turns is joined by newlines.
    /// </value>
    public string? PairTemplate { get; set; }

    /// <summary>Gets or sets which of the model's outputs is the score.</summary>
    /// <value>0 or more. The default is null, for a model with one output.</value>
    public int? ClassIndex { get; set; }

    /// <summary>Gets or sets how many tokens the model reads.</summary>
    /// <value>1 or more. The default is null: <c>max_position_embeddings</c> of <c>config.json</c>, where there is one, less the positions that RoBERTa and its kin leave unused.</value>
    public int? MaxLength { get; set; }

    /// <summary>Gets or sets what is done with longer ones.</summary>
    /// <value>The default is <see cref="RewardTruncation.None"/>.</value>
    public RewardTruncation Truncation { get; set; }

    /// <summary>Gets or sets how many responses a pass reads at most. Those of like length go together, for each is padded to the longest.</summary>
    /// <value>1 or more. The default is 16.</value>
    public int MaxBatchSize { get; set; } = 16;

    /// <summary>Gets or sets the number of threads.</summary>
    /// <value>1 or more. The default is null: one a core, as ONNX Runtime counts them.</value>
    public int? ThreadCount { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">The file's name is none, or the pair template lacks a slot.</exception>
    public void Validate()
    {
        if (string.IsNullOrWhiteSpace(GraphFile) || Path.GetFileName(GraphFile) != GraphFile)
        {
            throw new ArgumentException($"GraphFile is '{GraphFile}', but must be a plain file name.", nameof(GraphFile));
        }

        if (PairTemplate is { } template)
        {
            int prompt = template.IndexOf(PromptSlot, StringComparison.Ordinal);
            int response = template.IndexOf(ResponseSlot, StringComparison.Ordinal);
            if (prompt < 0 || response < prompt || prompt != template.LastIndexOf(PromptSlot, StringComparison.Ordinal) || response != template.LastIndexOf(ResponseSlot, StringComparison.Ordinal))
            {
                throw new ArgumentException($"PairTemplate is '{template}', but must hold {PromptSlot} once and {ResponseSlot} once after it.", nameof(PairTemplate));
            }
        }

        if (ClassIndex is < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(ClassIndex), ClassIndex, "ClassIndex must be 0 or more; null is for a model with one output.");
        }

        if (MaxLength is < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxLength), MaxLength, "MaxLength must be 1 or more; null takes the model's own.");
        }

        if (!Enum.IsDefined(Truncation))
        {
            throw new ArgumentOutOfRangeException(nameof(Truncation), Truncation, "Truncation must be a member of RewardTruncation.");
        }

        if (MaxBatchSize < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxBatchSize), MaxBatchSize, "MaxBatchSize must be 1 or more.");
        }

        if (ThreadCount is < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(ThreadCount), ThreadCount, "ThreadCount must be 1 or more; null takes one a core.");
        }
    }
}
