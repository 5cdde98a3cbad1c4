namespace Aries.OnnxRuntimeGenAI;

/// <summary>A decoder-only model that ONNX Runtime GenAI runs from a model folder, on the processor or a GPU: it generates, and it scores given responses.</summary>
/// <remarks>
/// <para>
/// The native library computes; prompts are rendered by the folder's own chat template and encoded by its own tokenizer, and tokens are drawn on this side, as every engine of Aries draws them. Requests of
/// one call are decoded together; one alone goes on from what the one before it has computed, and what it is expected to repeat is guessed and checked (<see cref="GenerationRequest.Prediction"/>).
/// </para>
/// <para>
/// A request without a seed gets one from the operating system's random numbers. A response may differ in its last digits, and so seldom in a token, with the batch that it is decoded in and with how much of
/// its prompt was computed before: the kernels are ONNX Runtime's.
/// </para>
/// </remarks>
/// <threadsafety>
/// Every member may be called concurrently. On the processor the calls of one model wait for each other; on a device the calls of all models of the process do, for the native library has one stream for them.
/// Dispose it when no call runs: without that, what it holds stays until the process ends.
/// </threadsafety>
public sealed class GenAIPolicyModel : IPolicyModel, ILogProbabilityModel
{
    /// <summary>The backend's name in <see cref="PolicyModelMetadata.ProviderName"/>.</summary>
    public const string ProviderName = "aries.onnxruntimegenai";

    private readonly EngineQueue _queue;
    private readonly GenAIEngine _engine;
    private readonly PolicyModelMetadata _metadata;
    private bool _isDisposed;

    /// <summary>Makes the policy of a model that is set up, and takes that over.</summary>
    internal GenAIPolicyModel(GenAIEngine engine)
    {
        (_engine, _queue) = (engine, new EngineQueue(engine.Gate));
        _metadata = new PolicyModelMetadata
        {
            ProviderName = ProviderName,
            ModelId = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(engine.Folder.Path))),
            ContextLength = engine.Requests.ContextLength,
            UsesChatTemplate = engine.Requests.Encoder.UsesChatTemplate,
        };
    }

    /// <summary>Loads a model folder.</summary>
    /// <param name="folder">The folder, with <c>genai_config.json</c>, the graph and the tokenizer's files.</param>
    /// <param name="options">How it is loaded and run; null for the defaults. Copied.</param>
    /// <exception cref="ArgumentException"><paramref name="folder"/> is null or empty, or an option is outside its range.</exception>
    /// <exception cref="ModelFormatException">A file is missing or malformed, the model is of a kind that is not run, or the adapter is of another model.</exception>
    /// <exception cref="GenAILibraryException">A native library is missing or does not fit, or the device cannot be used.</exception>
    /// <exception cref="InferenceFailedException">There is not enough memory.</exception>
    public static GenAIPolicyModel Load(string folder, GenAIPolicyOptions? options = null) => Load(NativeLibraries.Load, folder, options);

    /// <summary>Loads a model folder on another thread.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="options">How it is loaded and run; null for the defaults. Copied.</param>
    /// <param name="cancellationToken">Looked at before the load and after it.</param>
    /// <exception cref="ArgumentException"><paramref name="folder"/> is null or empty, or an option is outside its range.</exception>
    /// <exception cref="ModelFormatException">A file is missing or malformed, the model is of a kind that is not run, or the adapter is of another model.</exception>
    /// <exception cref="GenAILibraryException">A native library is missing or does not fit, or the device cannot be used.</exception>
    /// <exception cref="InferenceFailedException">There is not enough memory.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Task<GenAIPolicyModel> LoadAsync(string folder, GenAIPolicyOptions? options = null, CancellationToken cancellationToken = default) =>
        LoadAsync(NativeLibraries.Load, folder, options, cancellationToken);

    /// <summary>Loads a model by a library that is not the process's own.</summary>
    internal static GenAIPolicyModel Load(Func<GenAIPolicyOptions, OgaApi> library, string folder, GenAIPolicyOptions? options)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        options ??= new GenAIPolicyOptions();
        options.Validate();
        options = options.Copy();
        GenAIFolder files = GenAIFolder.Read(folder);
        SharedModel shared = SharedModel.Load(library(options), files, options);
        try
        {
            return new GenAIPolicyModel(GenAIEngine.Create(shared, options));
        }
        catch
        {
            shared.Release();
            throw;
        }
    }

    internal static Task<GenAIPolicyModel> LoadAsync(Func<GenAIPolicyOptions, OgaApi> library, string folder, GenAIPolicyOptions? options, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        options?.Validate();
        GenAIPolicyOptions? copy = options?.Copy();
        return ModelLoad.RunAsync(() => Load(library, folder, copy), cancellationToken);
    }

    /// <inheritdoc />
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution over a token.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime GenAI failed.</exception>
    public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        GenerationRequest[] copy = RequestEncoder.Copy(requests, nameof(requests));
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return await _queue.RunAsync(() => Generate(copy, onText: null, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc />
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution over a token.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime GenAI failed.</exception>
    public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _queue.StreamAsync((onText, token) => Generate([request], onText, token)[0], cancellationToken);
    }

    /// <inheritdoc />
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution over a token.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime GenAI failed.</exception>
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

    /// <summary>Lets the model and all that it holds go. Later calls throw <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _engine.Dispose();
            _queue.Dispose();
        }
    }

    private Response[] Generate(GenerationRequest[] requests, Action<string>? onText, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _engine.Generate(requests, onText, cancellationToken);
    }

    private ResponseLogProbability[] Score(LogProbabilityRequest[] requests, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _engine.Score(requests, cancellationToken);
    }
}
