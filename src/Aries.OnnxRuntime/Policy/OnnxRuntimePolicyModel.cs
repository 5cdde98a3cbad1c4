using System.Security.Cryptography;

namespace Aries.OnnxRuntime;

/// <summary>A decoder-only model that plain ONNX Runtime runs from a folder of ONNX Runtime GenAI: it generates, and it scores given responses.</summary>
/// <remarks>
/// <para>Decoding is this library's own: the graph's keys and values stay in one buffer from step to step, a prompt that begins like another of its batch, or like what was computed before, takes over what is there, and tokens are drawn as the managed engine draws them.</para>
/// <para>
/// A request without a seed gets one from the operating system's random numbers. Logits may differ in their last digits, and so seldom a token, with the batch that a response is decoded in and with what
/// was taken over (<see cref="OnnxRuntimePolicyOptions.KeepsPrompts"/>): the kernels are ONNX Runtime's.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently; calls that compute wait for each other. Dispose it when no call runs.</threadsafety>
public sealed class OnnxRuntimePolicyModel : IPolicyModel, ILogProbabilityModel
{
    /// <summary>The backend's name in <see cref="PolicyModelMetadata.ProviderName"/>.</summary>
    public const string ProviderName = "aries.onnxruntime";

    private readonly EngineQueue _queue = new();
    private readonly RequestEncoder<PromptEncoder> _encoder;
    private readonly PolicyModelMetadata _metadata;
    private readonly BatchDecoder _decoder;
    private readonly DecoderGraph _graph;
    private bool _isDisposed;

    private OnnxRuntimePolicyModel(RequestEncoder<PromptEncoder> encoder, DecoderGraph graph, string modelId, OnnxRuntimePolicyOptions options)
    {
        (_encoder, _graph) = (encoder, graph);
        _decoder = new BatchDecoder(graph, encoder.Encoder.EndTokenIds, options.MaxBatchSize, options.PrefillLength, options.KeepsPrompts);
        _metadata = new PolicyModelMetadata
        {
            ProviderName = ProviderName,
            ModelId = modelId,
            ContextLength = encoder.ContextLength,
            UsesChatTemplate = !encoder.Encoder.Template.IsPlain,
        };
    }

    /// <summary>Loads a model folder.</summary>
    /// <param name="folder">The folder, with <c>genai_config.json</c>, the graph and the tokenizer's files: what <see cref="GenAIModelWriter"/> writes.</param>
    /// <param name="options">How it is loaded and run; null for the defaults. Copied.</param>
    /// <exception cref="ArgumentException"><paramref name="folder"/> is null or empty, or an option is outside its range.</exception>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or the model is of a kind that this backend does not run.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime's native libraries are missing.</exception>
    public static OnnxRuntimePolicyModel Load(string folder, OnnxRuntimePolicyOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        options ??= new OnnxRuntimePolicyOptions();
        options.Validate();
        options = options with { };

        // The small files first: what is wrong with them shows at once.
        GenAIConfig config = GenAIConfig.Read(folder);
        PromptEncoder encoder = PromptEncoder.Create(folder, config.VocabularySize, config.EndTokenIds, TokenizerFolder.Load(folder), options.ChatTemplate);
        DecoderGraph graph = DecoderGraph.Load(folder, config, options.AdapterPath, options.ThreadCount);
        int contextLength = Math.Min(config.ContextLength, options.ContextLength ?? int.MaxValue);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        return new OnnxRuntimePolicyModel(new RequestEncoder<PromptEncoder>(encoder, contextLength), graph, name, options);
    }

    /// <summary>Loads a model folder on another thread.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="options">How it is loaded and run; null for the defaults. Copied.</param>
    /// <param name="cancellationToken">Looked at before the load and after it.</param>
    /// <exception cref="ArgumentException"><paramref name="folder"/> is null or empty, or an option is outside its range.</exception>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or the model is of a kind that this backend does not run.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime's native libraries are missing.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Task<OnnxRuntimePolicyModel> LoadAsync(string folder, OnnxRuntimePolicyOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        options?.Validate();
        OnnxRuntimePolicyOptions? copy = options is null ? null : options with { };
        return ModelLoad.RunAsync(() => Load(folder, copy), cancellationToken);
    }

    /// <inheritdoc />
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution over a token.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime failed.</exception>
    public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        GenerationRequest[] copy = RequestEncoder.Copy(requests, nameof(requests));
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return await _queue.RunAsync(() => Generate(copy, onText: null, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc />
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution over a token.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime failed.</exception>
    public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _queue.StreamAsync((onText, token) => Generate([request], onText, token)[0], cancellationToken);
    }

    /// <inheritdoc />
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution over a token.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime failed.</exception>
    public async Task<IReadOnlyList<ResponseLogProbability>> GetLogProbabilitiesAsync(
        IReadOnlyList<LogProbabilityRequest> requests, CancellationToken cancellationToken = default)
    {
        LogProbabilityRequest[] copy = RequestEncoder.Copy(requests, nameof(requests));
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return await _queue.RunAsync(() => Score(copy, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc />
    public object? GetService(Type serviceType)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceType == typeof(PolicyModelMetadata) ? _metadata : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <summary>Lets the graph and all buffers go. Later calls throw <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _graph.Dispose();
            _queue.Dispose();
        }
    }

    private Response[] Generate(GenerationRequest[] requests, Action<string>? onText, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        DecodedRow[] rows = new DecodedRow[requests.Length];
        for (int index = 0; index < rows.Length; index++)
        {
            GenerationRequest request = requests[index];
            rows[index] = new DecodedRow(
                request,
                _encoder.EncodePrompt(request.Prompt, index),
                request.Options.Seed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))),
                _encoder.ContextLength,
                new ResponseAssembly(_encoder.Encoder.CreateDecoder(), request.Options.StopSequences, onText));
        }

        _decoder.Decode(rows, cancellationToken);
        return [.. rows.Select(row => row.Complete())];
    }

    private ResponseLogProbability[] Score(LogProbabilityRequest[] requests, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        (int[] Tokens, int ResponseStart)[] sequences = [.. requests.Select(_encoder.EncodeResponse)];
        float[][] values = _decoder.Score(sequences, cancellationToken);
        return RequestEncoder.LogProbabilities(sequences, values);
    }
}
