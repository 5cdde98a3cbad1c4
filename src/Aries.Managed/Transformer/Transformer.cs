namespace Aries.Managed;

/// <summary>A Llama-family network without its output head: token rows in, normalised hidden rows out. One forward serves training, scoring, prefill and decoding.</summary>
/// <remarks>
/// Touvron et al. 2023, <see href="https://arxiv.org/abs/2302.13971"/>, Section 2.2. A row's result depends on the tokens that it sees alone:
/// never on the other rows of the batch, on how its context is split, or on the number of threads.
/// </remarks>
/// <threadsafety>Not thread-safe: it keeps its buffers. Instances may share weights and run concurrently while nobody writes these.</threadsafety>
internal sealed partial class Transformer
{
    private readonly WorkerPool _pool;
    private readonly RotaryTable _rotary;
    private readonly AttentionWork _attention;
    private readonly LayerActivations _shared;
    private LlamaWeights _weights;
    private LoraWeights? _adapter;
    private int _room;

    private float[] _normed = [];
    private float[] _keys = [];
    private float[] _values = [];
    private float[] _unit = [];

    /// <summary>Creates a network.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="weights">Its weights, read at each call.</param>
    /// <param name="adapter">An adapter on them, or null.</param>
    /// <param name="pool">The threads.</param>
    /// <param name="shared">What every layer of a pass without a tape is computed in; null for memory of its own.</param>
    public Transformer(LlamaConfig config, LlamaWeights weights, LoraWeights? adapter, WorkerPool pool, LayerActivations? shared = null)
    {
        Config = config;
        _weights = weights;
        _adapter = adapter;
        _pool = pool;
        _rotary = new RotaryTable(config);
        _attention = new AttentionWork(config, pool);
        _shared = shared ?? new LayerActivations();
    }

    public LlamaConfig Config { get; }

    public LlamaWeights Weights => _weights;

    public WorkerPool Pool => _pool;

    /// <summary>Computes with other weights of the same shape from now on, in the same memory.</summary>
    public void Use(LlamaWeights weights, LoraWeights? adapter) => (_weights, _adapter) = (weights, adapter);

    /// <summary>Makes room for passes of so many rows.</summary>
    public void Reserve(int rows)
    {
        _room = Math.Max(_room, rows);
        _shared.Reserve(Config, rows, inputOnly: false);
    }

    /// <summary>Runs every layer.</summary>
    /// <param name="batch">The rows.</param>
    /// <param name="store">Receives the keys and values of the rows; holds those of contexts that are not in the batch. Has slots enough for <see cref="RowBatch.SlotLimit"/>.</param>
    /// <param name="tape">Receives what the backward pass needs; null where none follows.</param>
    /// <param name="cancellationToken">Looked at once a layer.</param>
    /// <returns>The rows after the final norm, shape [rows, H]; valid until the next call.</returns>
    /// <exception cref="ArgumentException">A token is outside the vocabulary, a position outside the context length, or a slot outside the store.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; some layers of the rows' keys and values are written, some are not.</exception>
    public Matrix Forward(RowBatch batch, KeyValueStore store, ForwardTape? tape, CancellationToken cancellationToken = default)
    {
        Check(batch, store);
        int rows = batch.RowCount;
        int hidden = Config.HiddenSize;
        _room = rows > _room ? rows + Buffers.Headroom(rows) : _room;
        tape?.Begin(Config, rows);
        if (tape is null)
        {
            _shared.Ensure(Config, rows);
        }

        _attention.Plan(batch);
        RowOperations.Gather(_weights.Embedding, batch.TokenArray, Rows(tape?.Layer(0).Input ?? _shared.Input, rows, hidden), _pool);
        for (int layer = 0; layer < Config.LayerCount; layer++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            LayerActivations activations = tape?.Layer(layer) ?? _shared;
            ForwardLayer(layer, batch, store, activations);
            FeedForward(layer, activations, tape?.OutputOf(layer) ?? _shared.Input, rows);
        }

        Matrix last = Rows(tape?.Output ?? _shared.Input, rows, hidden);
        Matrix result = Work(ref _normed, rows, hidden);
        RmsNorm.Forward(last, _weights.FinalNorm.Values, Config.RmsNormEpsilon, result, tape?.OutputScale, _pool);
        return result;
    }

    // From Input, fills everything up to Gate and Up.
    private void ForwardLayer(int index, RowBatch batch, KeyValueStore store, LayerActivations activations)
    {
        LlamaLayerWeights layer = _weights.Layers[index];
        LoraLayerWeights? adapter = _adapter?.Layers[index];
        int rows = batch.RowCount;
        int hidden = Config.HiddenSize;
        int inner = Config.IntermediateSize;
        int queryWidth = Config.HeadCount * Config.HeadSize;
        Matrix normed = Work(ref _normed, rows, hidden);
        Matrix query = Rows(activations.Query, rows, queryWidth);
        Matrix keys = KeyRows(batch, store.Keys(index), ref _keys);
        Matrix values = KeyRows(batch, store.Values(index), ref _values);

        RmsNorm.Forward(
            Rows(activations.Input, rows, hidden), layer.AttentionNorm.Values, Config.RmsNormEpsilon, normed, activations.InputScale, _pool);
        Projection.ForwardAll(
            normed,
            (Project(layer.Query, adapter?.Query, activations.QueryLow), query),
            (Project(layer.Key, adapter?.Key, activations.KeyLow), keys),
            (Project(layer.Value, adapter?.Value, activations.ValueLow), values),
            _pool);
        AddBias(layer.QueryBias, query);
        AddBias(layer.KeyBias, keys);
        AddBias(layer.ValueBias, values);
        _rotary.Forward(query, batch.PositionArray, _pool);
        _rotary.Forward(keys, batch.PositionArray, _pool);
        if (!batch.SlotsAreConsecutive)
        {
            Scatter(batch, keys, store.Keys(index));
            Scatter(batch, values, store.Values(index));
        }

        _attention.Forward(activations, store.Keys(index), store.Values(index));
        Matrix middle = Rows(activations.Middle, rows, hidden);
        RowOperations.Copy(Rows(activations.Input, rows, hidden), middle, _pool);
        Project(layer.Output, adapter?.Output, activations.OutputLow).Forward(Rows(activations.Attention, rows, queryWidth), middle, accumulate: true, _pool);

        RmsNorm.Forward(middle, layer.FeedForwardNorm.Values, Config.RmsNormEpsilon, normed, activations.MiddleScale, _pool);
        Projection.ForwardAll(
            normed,
            (Project(layer.Gate, adapter?.Gate, activations.GateLow), Rows(activations.Gate, rows, inner)),
            (Project(layer.Up, adapter?.Up, activations.UpLow), Rows(activations.Up, rows, inner)),
            default,
            _pool);
    }

    // output = Middle + Down(SiLU(Gate) × Up).
    private void FeedForward(int index, LayerActivations activations, float[] output, int rows)
    {
        int hidden = Config.HiddenSize;
        Matrix unit = Unit(activations, rows);
        RowOperations.Copy(Rows(activations.Middle, rows, hidden), Rows(output, rows, hidden), _pool);
        Project(_weights.Layers[index].Down, _adapter?.Layers[index].Down, activations.DownLow)
            .Forward(unit, Rows(output, rows, hidden), accumulate: true, _pool);
    }

    // SiLU(Gate) × Up. Shape [rows, I].
    private Matrix Unit(LayerActivations activations, int rows)
    {
        int inner = Config.IntermediateSize;
        Matrix unit = Work(ref _unit, rows, inner);
        SwiGlu.Forward(Rows(activations.Gate, rows, inner), Rows(activations.Up, rows, inner), unit, _pool);
        return unit;
    }

    private Projection Project(Parameter weight, LoraPair? adapter, LowRows low) => new(weight, adapter, _adapter?.Scale ?? 0, low);

    private static Matrix Rows(float[] values, int rows, int columns) => new(values, rows, columns);

    private Matrix Work(ref float[] buffer, int rows, int columns) => new(Buffers.EnsureExactly(ref buffer, checked(_room * columns)), rows, columns);

    private void Check(RowBatch batch, KeyValueStore store)
    {
        foreach (int token in batch.Tokens)
        {
            if ((uint)token >= (uint)Config.VocabularySize)
            {
                throw new ArgumentException($"Token {token} is outside the vocabulary of {Config.VocabularySize} tokens.", nameof(batch));
            }
        }

        int last = -1;
        foreach (int position in batch.Positions)
        {
            last = Math.Max(last, position);
        }

        if (last >= Config.ContextLength)
        {
            throw new ArgumentException($"A sequence of {last + 1} tokens is longer than the model's context of {Config.ContextLength}.", nameof(batch));
        }

        if (batch.SlotLimit > store.SlotCount)
        {
            throw new ArgumentException($"The batch needs {batch.SlotLimit} slots; the store has {store.SlotCount}.", nameof(store));
        }
    }

    // Where the batch's slots follow each other, keys and values are computed in their place.
    private Matrix KeyRows(RowBatch batch, float[] stored, ref float[] buffer)
    {
        int width = Config.KeyValueHeadCount * Config.HeadSize;
        int rows = batch.RowCount;
        return batch.SlotsAreConsecutive
            ? new Matrix(stored, rows == 0 ? 0 : batch.Slots[0] * width, rows, width, width)
            : Work(ref buffer, rows, width);
    }

    private static void Scatter(RowBatch batch, Matrix rows, float[] stored)
    {
        ReadOnlySpan<int> slots = batch.Slots;
        for (int row = 0; row < slots.Length; row++)
        {
            rows.Row(row).CopyTo(stored.AsSpan(slots[row] * rows.Columns));
        }
    }

    private void AddBias(Parameter? bias, Matrix rows)
    {
        if (bias is not null)
        {
            RowOperations.AddBias(bias.Values, rows, _pool);
        }
    }
}
