namespace Aries.OnnxRuntimeGenAI;

/// <summary>How <see cref="GenAIPolicyModel"/> loads and runs a model.</summary>
/// <threadsafety>Not thread-safe while it is being changed; what it is given to copies it.</threadsafety>
public sealed record GenAIPolicyOptions
{
    // The native library's own limit for a generator.
    private const int LargestBatch = 32;

    /// <summary>Gets or sets the LoRA adapter's folder, in PEFT layout. The model's graph must have inputs for it: <c>GenAIModelOptions.AdapterTargets</c> of Aries.OnnxRuntime.</summary>
    /// <value>The default is null: none.</value>
    public string? AdapterPath { get; set; }

    /// <summary>Gets or sets the chat template that renders prompts.</summary>
    /// <value>The default is null: the one that the model's folder holds, rendered by the native library; a folder without one gets the texts as they are.</value>
    public ChatTemplate? ChatTemplate { get; set; }

    /// <summary>Gets or sets the longest prompt and response together, in tokens, where it is to be shorter than the model allows.</summary>
    /// <value>2 or more; more than the model's own length changes nothing. The default is null: the model's own. On a GPU, keys and values of this length are the largest that are ever allocated for a row.</value>
    public int? ContextLength { get; set; }

    /// <summary>Gets or sets how many responses are decoded at once; further requests of a batch wait for the ones before them.</summary>
    /// <value>1 to 32. The default is 32. Memory grows with it, for each place has its own keys and values. At 1, requests of one batch that begin alike compute their beginning once.</value>
    public int MaxBatchSize { get; set; } = LargestBatch;

    /// <summary>Gets or sets how many tokens of a single prompt, or of a response that is scored, a pass computes at most.</summary>
    /// <value>1 or more. The default is 256. Memory grows with it: a pass gives the logits of each of its tokens.</value>
    public int PrefillLength { get; set; } = 256;

    /// <summary>Gets or sets how many tokens may be guessed from the text so far and checked in one pass, where a request with a <see cref="GenerationRequest.Prediction"/> is decoded alone.</summary>
    /// <value>
    /// 0 or more; 0 guesses none. The default is 16. Guesses are checked against the token that is drawn without them, so they never change what a distribution allows; a
    /// kernel whose rounding depends on the number of tokens in a pass may still choose the other of two tokens that are as good as equal.
    /// </value>
    public int MaxDraftLength { get; set; } = 16;

    /// <summary>Gets or sets whether the keys and values of the last sequence that was decoded or scored alone stay, so that a sequence which begins like it computes only the rest.</summary>
    /// <value>The default is true. False gives the memory back after every call.</value>
    public bool KeepsLastSequence { get; set; } = true;

    /// <summary>Gets or sets the number of threads that the processor computes with.</summary>
    /// <value>1 or more. The default is null: what the folder says, else one a core.</value>
    public int? ThreadCount { get; set; }

    /// <summary>Gets or sets the execution providers, the preferred one first.</summary>
    /// <value>The default is null: those that the folder's <c>genai_config.json</c> names. An empty list computes on the processor.</value>
    public IReadOnlyList<GenAIExecutionProvider>? Providers { get; set; }

    /// <summary>Gets or sets the folder of the native libraries, <c>onnxruntime-genai</c> and <c>onnxruntime</c>.</summary>
    /// <value>
    /// The default is null: where .NET looks for native libraries of packages, beside the app, then where the operating system looks. A process loads them once: a later model that names another folder is refused.
    /// </value>
    public string? NativeLibraryFolder { get; set; }

    /// <summary>Gets or sets whether the native library may send telemetry to its maker: official builds since 0.15 do so by themselves.</summary>
    /// <value>
    /// The default is false: <c>ORT_DISABLE_TELEMETRY=1</c> is set in the native environment before the library is loaded. It cannot be switched off once a model was loaded with true.
    /// </value>
    public bool AllowsNativeTelemetry { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">A path is empty, or a provider is null or named twice.</exception>
    public void Validate()
    {
        if (AdapterPath is not null && string.IsNullOrWhiteSpace(AdapterPath))
        {
            throw new ArgumentException("AdapterPath must be a path; null means none.", nameof(AdapterPath));
        }

        if (NativeLibraryFolder is not null && string.IsNullOrWhiteSpace(NativeLibraryFolder))
        {
            throw new ArgumentException("NativeLibraryFolder must be a path; null looks in the usual places.", nameof(NativeLibraryFolder));
        }

        if (ContextLength is < 2)
        {
            throw new ArgumentOutOfRangeException(nameof(ContextLength), ContextLength, "ContextLength must be 2 or more: a token to read and one to write; null takes the model's own.");
        }

        if (MaxBatchSize is < 1 or > LargestBatch)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxBatchSize), MaxBatchSize, $"MaxBatchSize must be from 1 to {LargestBatch}, the largest batch of the native library.");
        }

        if (PrefillLength < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(PrefillLength), PrefillLength, "PrefillLength must be 1 or more.");
        }

        if (MaxDraftLength < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxDraftLength), MaxDraftLength, "MaxDraftLength must be 0 (no guesses) or more.");
        }

        if (ThreadCount is < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(ThreadCount), ThreadCount, "ThreadCount must be 1 or more; null takes what the folder says.");
        }

        if (Providers is not null && (Providers.Contains(null!) || Providers.DistinctBy(provider => provider.Name).Count() < Providers.Count))
        {
            throw new ArgumentException("Providers must name each provider once; an empty list computes on the processor.", nameof(Providers));
        }
    }

    /// <summary>Returns a copy that shares nothing that can change.</summary>
    internal GenAIPolicyOptions Copy() => this with { Providers = Providers is null ? null : [.. Providers] };
}
