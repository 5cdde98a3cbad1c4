using System.Security.Cryptography;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>A model with an adapter, and what decodes and scores on them.</summary>
/// <remarks>What a call leaves half done is let go: after a failure or a cancellation the next call begins anew.</remarks>
/// <threadsafety>One call at a time, behind <see cref="Gate"/>; <see cref="Dispose"/> passes it itself.</threadsafety>
internal sealed class GenAIEngine : IDisposable
{
    private readonly GenAIPolicyOptions _options;
    private readonly SharedModel _shared;
    private readonly LoadedAdapter? _adapter;
    private readonly SequenceSession _session;
    private readonly SingleDecoder _single;
    private readonly BatchDecoder _batches;
    private readonly ResponseScorer _scorer;

    private GenAIEngine(SharedModel shared, LoadedAdapter? adapter, RequestEncoder<ITextCodec> requests, GenAIPolicyOptions options)
    {
        (_shared, _adapter, Requests, _options) = (shared, adapter, requests, options);
        OgaModel model = shared.Model;
        IReadOnlyList<int> ends = requests.Encoder.EndTokenIds;
        int vocabulary = model.Folder.VocabularySize;
        _session = new SequenceSession(model, adapter?.Adapter, requests.ContextLength, options.PrefillLength);
        _single = new SingleDecoder(_session, ends, vocabulary, options.MaxDraftLength);
        _batches = new BatchDecoder(model, adapter?.Adapter, ends, requests.ContextLength, options.MaxBatchSize);
        _scorer = new ResponseScorer(_session, vocabulary);
    }

    public GenAIFolder Folder => _shared.Folder;

    public SemaphoreSlim Gate => _shared.Gate;

    public RequestEncoder<ITextCodec> Requests { get; }

    // A recorded step has one row.
    private bool DecodesTogether => _options.MaxBatchSize > 1 && !(_options.Providers ?? Folder.Providers).Any(provider => provider.UsesGraph);

    /// <summary>Sets a model up.</summary>
    /// <param name="shared">The model; its use passes on where this succeeds.</param>
    /// <param name="options">Valid options.</param>
    /// <exception cref="AriesException">The adapter cannot be loaded.</exception>
    public static GenAIEngine Create(SharedModel shared, GenAIPolicyOptions options)
    {
        LoadedAdapter? adapter = null;
        shared.Gate.Wait();
        try
        {
            GenAIFolder folder = shared.Folder;
            adapter = options.AdapterPath is { } path ? LoadedAdapter.Load(shared.Model, path) : null;
            int contextLength = Math.Min(folder.ContextLength, options.ContextLength ?? int.MaxValue);
            return new GenAIEngine(shared, adapter, new RequestEncoder<ITextCodec>(shared.Codec, contextLength), options);
        }
        catch (OgaException exception)
        {
            adapter?.Dispose();
            throw NativeFailure.OfLoading(exception, shared.Folder.Path);
        }
        finally
        {
            shared.Gate.Release();
        }
    }

    /// <summary>Answers requests.</summary>
    public Response[] Generate(GenerationRequest[] requests, Action<string>? onText, CancellationToken cancellationToken) =>
        Run("generating", () => GenerateAll(requests, onText, cancellationToken), cancellationToken);

    /// <summary>Scores responses.</summary>
    public ResponseLogProbability[] Score(LogProbabilityRequest[] requests, CancellationToken cancellationToken) =>
        Run("scoring", () => ScoreAll(requests, cancellationToken), cancellationToken);

    public void Dispose()
    {
        Gate.Wait();
        try
        {
            _session.Dispose();
            _adapter?.Dispose();
        }
        finally
        {
            Gate.Release();
            _shared.Release();
        }
    }

    private Response[] GenerateAll(GenerationRequest[] requests, Action<string>? onText, CancellationToken cancellationToken)
    {
        List<ITokenTextDecoder> decoders = [];
        try
        {
            DecodedRow[] rows = new DecodedRow[requests.Length];
            for (int index = 0; index < rows.Length; index++)
            {
                GenerationRequest request = requests[index];
                ITokenTextDecoder decoder = Requests.Encoder.CreateDecoder();
                decoders.Add(decoder);
                rows[index] = new DecodedRow(
                    request,
                    Requests.EncodePrompt(request.Prompt, index),
                    request.Options.Seed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))),
                    Requests.ContextLength,
                    new ResponseAssembly(decoder, request.Options.StopSequences, onText));
            }

            Decode(rows, requests, cancellationToken);
            return [.. rows.Select(row => row.Complete())];
        }
        finally
        {
            decoders.ForEach(decoder => (decoder as IDisposable)?.Dispose());
        }
    }

    private void Decode(DecodedRow[] rows, GenerationRequest[] requests, CancellationToken cancellationToken)
    {
        if (!_shared.Model.IsContinuing || (rows.Length > 1 && DecodesTogether))
        {
            _batches.Decode(rows, cancellationToken);
            return;
        }

        for (int index = 0; index < rows.Length; index++)
        {
            int[] prediction = _options.MaxDraftLength > 0 && requests[index].Prediction is { } text ? Requests.Encoder.EncodePrediction(text) : [];
            _single.Decode(rows[index], prediction, cancellationToken);
        }
    }

    private ResponseLogProbability[] ScoreAll(LogProbabilityRequest[] requests, CancellationToken cancellationToken)
    {
        (int[] Tokens, int ResponseStart)[] sequences = [.. requests.Select(Requests.EncodeResponse)];
        float[][] values = _scorer.Score(sequences, cancellationToken);
        return RequestEncoder.LogProbabilities(sequences, values);
    }

    private T Run<T>(string operation, Func<T> compute, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        bool isWhole = false;
        try
        {
            T result = compute();
            isWhole = true;
            return result;
        }
        catch (OgaException exception)
        {
            // A pass that was told to end fails.
            cancellationToken.ThrowIfCancellationRequested();
            throw NativeFailure.OfRunning(exception, operation, Folder.Path);
        }
        finally
        {
            _session.End(keeps: isWhole && _options.KeepsLastSequence);
        }
    }
}
