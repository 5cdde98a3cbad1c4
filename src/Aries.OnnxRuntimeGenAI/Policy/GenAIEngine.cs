using System.Security.Cryptography;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>A loaded model with its tokenizer, its adapter and what decodes and scores on them.</summary>
/// <remarks>What a call leaves half done is let go: after a failure or a cancellation the next call begins anew.</remarks>
/// <threadsafety>One call at a time, <see cref="Dispose"/> included.</threadsafety>
internal sealed class GenAIEngine : IDisposable
{
    private readonly GenAIPolicyOptions _options;
    private readonly OgaModel _model;
    private readonly OgaTokenizer _tokenizer;
    private readonly LoadedAdapter? _adapter;
    private readonly SequenceSession _session;
    private readonly SingleDecoder _single;
    private readonly BatchDecoder _batches;
    private readonly ResponseScorer _scorer;

    private GenAIEngine(OgaModel model, OgaTokenizer tokenizer, LoadedAdapter? adapter, RequestEncoder<OgaPromptEncoder> requests, GenAIPolicyOptions options)
    {
        (_model, _tokenizer, _adapter, Requests, _options) = (model, tokenizer, adapter, requests, options);
        IReadOnlyList<int> ends = requests.Encoder.EndTokenIds;
        int vocabulary = model.Folder.VocabularySize;
        _session = new SequenceSession(model, adapter?.Adapter, requests.ContextLength, options.PrefillLength);
        _single = new SingleDecoder(_session, ends, vocabulary, options.MaxDraftLength);
        _batches = new BatchDecoder(model, adapter?.Adapter, ends, requests.ContextLength, options.MaxBatchSize);
        _scorer = new ResponseScorer(_session, vocabulary);
    }

    public GenAIFolder Folder => _model.Folder;

    public RequestEncoder<OgaPromptEncoder> Requests { get; }

    // A recorded step has one row.
    private bool DecodesTogether => _options.MaxBatchSize > 1 && !(_options.Providers ?? Folder.Providers).Any(provider => provider.UsesGraph);

    /// <summary>Loads a model.</summary>
    /// <exception cref="AriesException">It cannot be loaded: <see cref="GenAIPolicyModel.Load(string, GenAIPolicyOptions)"/>.</exception>
    public static GenAIEngine Load(OgaApi api, GenAIFolder folder, GenAIPolicyOptions options)
    {
        GenAIRuntime.Count(1);
        List<IDisposable> loaded = [];
        T Keep<T>(T part)
            where T : IDisposable
        {
            loaded.Add(part);
            return part;
        }

        try
        {
            OgaModel model = Keep(OgaModel.Load(api, folder, options));
            OgaTokenizer tokenizer = Keep(new OgaTokenizer(model));
            LoadedAdapter? adapter = options.AdapterPath is { } path ? Keep(LoadedAdapter.Load(model, path)) : null;
            int contextLength = Math.Min(folder.ContextLength, options.ContextLength ?? int.MaxValue);
            return new GenAIEngine(model, tokenizer, adapter, new RequestEncoder<OgaPromptEncoder>(new OgaPromptEncoder(tokenizer, folder, options.ChatTemplate), contextLength), options);
        }
        catch (Exception exception)
        {
            loaded.Reverse();
            loaded.ForEach(part => part.Dispose());
            GenAIRuntime.Count(-1);
            if (exception is OgaException native)
            {
                throw NativeFailure.OfLoading(native, folder.Path);
            }

            throw;
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
        _session.Dispose();
        _adapter?.Dispose();
        _tokenizer.Dispose();
        _model.Dispose();
        GenAIRuntime.Count(-1);
    }

    private Response[] GenerateAll(GenerationRequest[] requests, Action<string>? onText, CancellationToken cancellationToken)
    {
        List<OgaTextDecoder> decoders = [];
        try
        {
            DecodedRow[] rows = new DecodedRow[requests.Length];
            for (int index = 0; index < rows.Length; index++)
            {
                GenerationRequest request = requests[index];
                OgaTextDecoder decoder = _tokenizer.CreateDecoder();
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
            decoders.ForEach(decoder => decoder.Dispose());
        }
    }

    private void Decode(DecodedRow[] rows, GenerationRequest[] requests, CancellationToken cancellationToken)
    {
        if (!_model.IsContinuing || (rows.Length > 1 && DecodesTogether))
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
        return
        [
            .. sequences.Zip(values, (sequence, terms) =>
                new ResponseLogProbability(terms.Sum(value => (double)value), sequence.Tokens[sequence.ResponseStart..], terms)),
        ];
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
