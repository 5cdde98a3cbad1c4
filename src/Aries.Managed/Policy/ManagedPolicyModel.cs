using System.Security.Cryptography;

namespace Aries.Managed;

/// <summary>A Llama-family model that runs in managed code on the processor: it generates, and it scores given responses.</summary>
/// <remarks>
/// <para>Prompts that begin alike share the computation of what they share, in a batch and over calls. A response depends on its request alone: not on the batch, the threads or the options of this class.</para>
/// <para>A request without a seed gets one from the operating system's random numbers.</para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently; calls that compute wait for each other. Dispose it when no call runs.</threadsafety>
public sealed class ManagedPolicyModel : IPolicyModel, ILogProbabilityModel
{
    /// <summary>The backend's name in <see cref="PolicyModelMetadata.ProviderName"/>.</summary>
    public const string ProviderName = "aries.managed";

    private readonly EngineQueue _queue = new();
    private readonly WorkerPool? _ownPool;
    private readonly PolicyModelMetadata _metadata;
    private Engines? _engines;

    internal ManagedPolicyModel(LoadedModel model, string modelId, ManagedPolicyOptions options)
    {
        _ownPool = options.ThreadCount is { } count ? new WorkerPool(count) : null;
        LlamaConfig config = model.Config with
        {
            ContextLength = Math.Min(model.Config.ContextLength, options.ContextLength ?? int.MaxValue),
            EndTokenIds = model.Encoder.EndTokenIds,
        };
        Transformer transformer = new(config, model.Weights, model.Adapter, _ownPool ?? WorkerPool.Shared);
        _engines = new Engines(
            new RequestEncoder<PromptEncoder>(model.Encoder, config.ContextLength),
            new DecodingEngine(transformer, options.MaxBatchSize, options.PrefillLength, options.PromptCacheBytes),
            new ResponseScorer(transformer, options.PrefillLength),
            options);
        _metadata = new PolicyModelMetadata
        {
            ProviderName = ProviderName,
            ModelId = modelId,
            ContextLength = config.ContextLength,
            UsesChatTemplate = !model.Encoder.Template.IsPlain,
        };
    }

    internal DecodingCounts Counts => _engines?.Decoding.Counts ?? default;

    /// <summary>Loads a Hugging Face folder or a llama2.c file.</summary>
    /// <param name="path">The folder, or the file.</param>
    /// <param name="options">How it is loaded and run; null for the defaults. Copied.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty, or an option is outside its range.</exception>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or the model is of a kind that the engine does not read.</exception>
    public static ManagedPolicyModel Load(string path, ManagedPolicyOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        options ??= new ManagedPolicyOptions();
        options.Validate();
        options = options with { };
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        return new ManagedPolicyModel(LoadedModel.Load(path, options.AdapterPath, options.ChatTemplate, options.TokenizerPath, options.WeightStorage), name, options);
    }

    /// <summary>Loads a Hugging Face folder or a llama2.c file on another thread.</summary>
    /// <param name="path">The folder, or the file.</param>
    /// <param name="options">How it is loaded and run; null for the defaults. Copied.</param>
    /// <param name="cancellationToken">Looked at before the load and after it.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty, or an option is outside its range.</exception>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or the model is of a kind that the engine does not read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Task<ManagedPolicyModel> LoadAsync(string path, ManagedPolicyOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        options?.Validate();
        ManagedPolicyOptions? copy = options is null ? null : options with { };
        return ModelLoad.RunAsync(() => Load(path, copy), cancellationToken);
    }

    /// <inheritdoc />
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution over a token.</exception>
    public Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        GenerationRequest[] copy = RequestEncoder.Copy(requests, nameof(requests));
        return RunAsync<IReadOnlyList<Response>>(engines => Generate(engines, copy, onText: null, cancellationToken), cancellationToken);
    }

    /// <inheritdoc />
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution over a token.</exception>
    public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return _queue.StreamAsync((onText, token) => Generate(LivingEngines(), [request], onText, token)[0], cancellationToken);
    }

    /// <inheritdoc />
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution over a token.</exception>
    public Task<IReadOnlyList<ResponseLogProbability>> GetLogProbabilitiesAsync(
        IReadOnlyList<LogProbabilityRequest> requests, CancellationToken cancellationToken = default)
    {
        LogProbabilityRequest[] copy = RequestEncoder.Copy(requests, nameof(requests));
        return RunAsync<IReadOnlyList<ResponseLogProbability>>(engines => Score(engines, copy, cancellationToken), cancellationToken);
    }

    /// <inheritdoc />
    public object? GetService(Type serviceType)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceType == typeof(PolicyModelMetadata) ? _metadata : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <summary>Lets the weights and all buffers go. Later calls throw <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        _engines = null;
        _queue.Dispose();
        _ownPool?.Dispose();
    }

    private async Task<T> RunAsync<T>(Func<Engines, T> compute, CancellationToken cancellationToken)
    {
        _ = LivingEngines();
        return await _queue.RunAsync(() => compute(LivingEngines()), cancellationToken).ConfigureAwait(false);
    }

    private Engines LivingEngines()
    {
        Engines? engines = _engines;
        ObjectDisposedException.ThrowIf(engines is null, this);
        return engines;
    }

    private static Response[] Generate(Engines engines, GenerationRequest[] requests, Action<string>? onText, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ResponseAssembly[] assemblies = new ResponseAssembly[requests.Length];
        DecodingRequest[] decoding = new DecodingRequest[requests.Length];
        for (int i = 0; i < requests.Length; i++)
        {
            GenerationRequest request = requests[i];
            int maxDraftLength = engines.MaxDraftLength(request, requests.Length);
            ResponseAssembly assembly = new(engines.Requests.Encoder.CreateDecoder(), request.Options.StopSequences, onText);
            assemblies[i] = assembly;
            decoding[i] = new DecodingRequest
            {
                Prompt = engines.Requests.EncodePrompt(request.Prompt, i),
                Options = request.Options,
                MaxDraftLength = maxDraftLength,
                Prediction = maxDraftLength > 0 && request.Prediction is { } prediction ? engines.Requests.Encoder.EncodePrediction(prediction) : [],
                Seed = request.Options.Seed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))),
                IncludeLogProbabilities = request.IncludeLogProbabilities,
                OnToken = assembly.Append,
            };
        }

        DecodedSequence[] sequences = engines.Decoding.Run(decoding, cancellationToken);
        Response[] responses = new Response[requests.Length];
        for (int i = 0; i < requests.Length; i++)
        {
            DecodedSequence sequence = sequences[i];
            bool stopped = assemblies[i].Complete();
            responses[i] = new Response
            {
                Text = assemblies[i].Text,
                FinishReason = stopped ? FinishReason.Stop : sequence.FinishReason,
                Usage = new TokenUsage(decoding[i].Prompt.Length, sequence.TokenIds.Count, sequence.CachedPromptTokens),
                TokenIds = sequence.TokenIds,
                TokenLogProbabilities = sequence.LogProbabilities,
                LogProbability = sequence.LogProbabilities?.Sum(value => (double)value),
            };
        }

        return responses;
    }

    private static ResponseLogProbability[] Score(Engines engines, LogProbabilityRequest[] requests, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        (int[] Tokens, int ResponseStart)[] sequences = [.. requests.Select(engines.Requests.EncodeResponse)];
        float[][] values = engines.Scoring.Score(sequences, cancellationToken);
        return RequestEncoder.LogProbabilities(sequences, values);
    }

    private sealed record Engines(RequestEncoder<PromptEncoder> Requests, DecodingEngine Decoding, ResponseScorer Scoring, ManagedPolicyOptions Options)
    {
        public int MaxDraftLength(GenerationRequest request, int requestCount)
        {
            bool guesses = Options.PromptLookup == PromptLookup.Always || (Options.PromptLookup == PromptLookup.Predicted && request.Prediction is { Length: > 0 });
            return guesses && Math.Min(requestCount, Options.MaxBatchSize) <= RepetitionGuess.LargestBatch ? Options.MaxDraftLength : 0;
        }
    }
}
