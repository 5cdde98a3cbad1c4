using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Aries.OnnxRuntime;

/// <summary>Scores responses with a sequence-classification reward model that ONNX Runtime runs.</summary>
/// <remarks>
/// The folder holds the graph, with inputs <c>input_ids</c> and <c>attention_mask</c> of shape [B, T] and the output <c>logits</c> of shape [B, classes], and the tokenizer's files; <c>config.json</c>
/// is read for the longest input and the padding token where it is there. A score is the chosen logit, as it is. Pairs are padded on the right.
/// </remarks>
/// <threadsafety>Every member may be called concurrently; calls that compute wait for each other. Dispose it when no call runs.</threadsafety>
public sealed class OnnxRewardScorer : IRewardScorer, IDisposable
{
    private const string InputIds = "input_ids";
    private const string AttentionMask = "attention_mask";
    private const string TokenTypes = "token_type_ids";
    private const string Logits = "logits";

    // RoBERTa and its kin number the positions of a text from the padding token's id plus one: transformers, create_position_ids_from_input_ids.
    private static readonly string[] KindsThatCountFromPadding = ["roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "camembert"];

    private readonly EngineQueue _queue = new();
    private readonly GraphSession _session;
    private readonly PairEncoder _encoder;
    private readonly OnnxRewardOptions _options;
    private readonly string _name;
    private readonly int? _maxLength;
    private readonly int _padding;
    private readonly bool _takesTypes;
    private readonly TensorElementType _type;
    private readonly int _classCount;
    private bool _isDisposed;

    private OnnxRewardScorer(string folder, GraphSession session, PairEncoder encoder, OnnxRewardOptions options)
    {
        (_session, _encoder, _options) = (session, encoder, options);
        _name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        string graph = Path.Combine(folder, options.GraphFile);
        Require(graph, session.Session.InputMetadata, InputIds);
        Require(graph, session.Session.InputMetadata, AttentionMask);
        NodeMetadata logits = Require(graph, session.Session.OutputMetadata, Logits);
        _type = logits.ElementDataType;
        _takesTypes = session.Session.InputMetadata.ContainsKey(TokenTypes);
        if (_type is not (TensorElementType.Float or TensorElementType.Float16) || logits.Dimensions.Length != 2 || logits.Dimensions[1] < 1)
        {
            throw new ModelFormatException(
                graph, $"'{Logits}' has the type {_type} and the shape [{string.Join(", ", logits.Dimensions)}].", "Export a sequence-classification model: float32 or float16 logits of shape [batch, classes].");
        }

        _classCount = logits.Dimensions[1];
        if (_classCount > 1 && options.ClassIndex is null)
        {
            throw new ModelFormatException(graph, $"the model has {_classCount} outputs.", $"Say in {nameof(OnnxRewardOptions)}.{nameof(OnnxRewardOptions.ClassIndex)} which of them is the score.");
        }

        if (options.ClassIndex >= _classCount)
        {
            throw new ModelFormatException(graph, $"the model has {_classCount} outputs, but ClassIndex is {options.ClassIndex}.", "Outputs are counted from 0.");
        }

        string config = Path.Combine(folder, "config.json");
        using ModelJson? json = File.Exists(config) ? ModelJson.Read(config) : null;
        bool countsFromPadding = json?.Root.Text("model_type") is { } kind && KindsThatCountFromPadding.Contains(kind);
        _padding = json?.Root.Integer("pad_token_id") ?? (countsFromPadding ? 1 : 0);
        _maxLength = options.MaxLength ?? MaxLength(json, countsFromPadding ? _padding + 1 : 0);
    }

    /// <summary>Loads a reward model.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="options">How it is loaded and asked; null for the defaults. Copied.</param>
    /// <exception cref="ArgumentException"><paramref name="folder"/> is null or empty, or an option is outside its range.</exception>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or the graph is not one of sequence classification, or has other outputs than the options say.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime's native libraries are missing.</exception>
    public static OnnxRewardScorer Load(string folder, OnnxRewardOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        options ??= new OnnxRewardOptions();
        options.Validate();
        options = options with { };
        if (!Directory.Exists(folder))
        {
            throw new ModelFormatException(folder, "there is no such folder.", "Point to the folder of a reward model in ONNX form.");
        }

        PairEncoder encoder = new(folder, options.PairTemplate);
        GraphSession session = GraphSession.Load(folder, options.GraphFile, options.ThreadCount);
        try
        {
            return new OnnxRewardScorer(folder, session, encoder, options);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentException">A request is null.</exception>
    /// <exception cref="ObjectDisposedException">The scorer is disposed.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime failed.</exception>
    public async Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default)
    {
        ScoringRequest[] copy = RequestEncoder.Copy(requests, nameof(requests));
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return await _queue.RunAsync(() => Score(copy, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Returns the name of the model's folder.</summary>
    public override string ToString() => _name;

    /// <summary>Lets the graph go. Later calls throw <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _session.Dispose();
            _queue.Dispose();
        }
    }

    private static NodeMetadata Require(string graph, IReadOnlyDictionary<string, NodeMetadata> known, string name) =>
        known.GetValueOrDefault(name)
        ?? throw new ModelFormatException(graph, $"the graph has no '{name}'; it has {string.Join(", ", known.Keys)}.", "Export a sequence-classification model with these names.");

    private static int? MaxLength(ModelJson? json, int unusedPositions) => json?.Root.Find("max_position_embeddings") switch
    {
        null => null,
        { } found when found.Integer() > unusedPositions => found.Integer() - unusedPositions,
        { } found => throw found.Wrong($"above {unusedPositions}: so many positions hold no text"),
    };

    private RewardScore[] Score(ScoringRequest[] requests, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        RewardScore[] scores = new RewardScore[requests.Length];
        int[][] tokens = new int[requests.Length][];
        List<int> readable = [];
        for (int index = 0; index < requests.Length; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            tokens[index] = _encoder.Encode(requests[index]);
            int length = tokens[index].Length;
            if (length == 0)
            {
                scores[index] = RewardScore.Invalid("Prompt and response have no text.");
            }
            else if (length <= _maxLength || _maxLength is null || _options.Truncation != RewardTruncation.None)
            {
                tokens[index] = Truncate(tokens[index]);
                readable.Add(index);
            }
            else
            {
                scores[index] = RewardScore.Invalid(string.Create(CultureInfo.InvariantCulture, $"Prompt and response have {length} tokens, but the reward model reads {_maxLength}."));
            }
        }

        // Rows of like length together: each is padded to the longest of its batch.
        foreach (int[] batch in readable.OrderBy(index => tokens[index].Length).Chunk(_options.MaxBatchSize))
        {
            ScoreBatch(batch, tokens, scores, cancellationToken);
        }

        return scores;
    }

    private int[] Truncate(int[] tokens)
    {
        if (_maxLength is not { } limit || tokens.Length <= limit)
        {
            return tokens;
        }

        return _options.Truncation == RewardTruncation.Start ? tokens[^limit..] : tokens[..limit];
    }

    private void ScoreBatch(int[] batch, int[][] tokens, RewardScore[] scores, CancellationToken cancellationToken)
    {
        int width = batch.Max(index => tokens[index].Length);
        long[] ids = new long[batch.Length * width];
        long[] mask = new long[ids.Length];
        Array.Fill(ids, _padding);
        for (int row = 0; row < batch.Length; row++)
        {
            int[] sequence = tokens[batch[row]];
            for (int column = 0; column < sequence.Length; column++)
            {
                (ids[(row * width) + column], mask[(row * width) + column]) = (sequence[column], 1);
            }
        }

        long[] shape = [batch.Length, width];
        using OrtValue idValue = OrtValue.CreateTensorValueFromMemory(ids, shape);
        using OrtValue maskValue = OrtValue.CreateTensorValueFromMemory(mask, shape);
        using OrtValue typeValue = OrtValue.CreateTensorValueFromMemory(new long[ids.Length], shape);
        using OrtIoBinding binding = _session.Session.CreateIoBinding();
        binding.BindInput(InputIds, idValue);
        binding.BindInput(AttentionMask, maskValue);
        if (_takesTypes)
        {
            binding.BindInput(TokenTypes, typeValue);
        }

        binding.BindOutputToDevice(Logits, OrtMemoryInfo.DefaultInstance);
        _session.Run(binding, cancellationToken);
        using IDisposableReadOnlyCollection<OrtValue> outputs = binding.GetOutputValues();
        for (int row = 0; row < batch.Length; row++)
        {
            int at = (row * _classCount) + (_options.ClassIndex ?? 0);
            float value = _type == TensorElementType.Float ? outputs[0].GetTensorDataAsSpan<float>()[at] : (float)outputs[0].GetTensorDataAsSpan<Float16>()[at];
            scores[batch[row]] = float.IsFinite(value)
                ? new RewardScore(value)
                : RewardScore.Invalid(string.Create(CultureInfo.InvariantCulture, $"The reward model gave {value}."));
        }
    }
}
