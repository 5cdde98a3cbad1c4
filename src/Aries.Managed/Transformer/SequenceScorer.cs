namespace Aries.Managed;

/// <summary>The primitive of every loss: the summed log-probability of responses given their prompts, and its gradient, over a whole token tree at once.</summary>
/// <remarks>Call <see cref="Clear"/>, <see cref="Add"/> for each sequence, <see cref="Score"/>, and where gradients are wanted <see cref="Backward"/>.</remarks>
/// <threadsafety>Not thread-safe: it keeps its buffers, and allocates only when a tree is larger than all before.</threadsafety>
internal sealed class SequenceScorer
{
    private readonly LlamaConfig _config;
    private readonly Transformer _transformer;
    private readonly OutputHead _head;
    private readonly KeyValueStore _passing;
    private readonly KeyValueStore _kept;
    private readonly TokenTree _tree = new();
    private readonly RowBatch _batch = new();
    private readonly ForwardTape _tape;
    private Matrix _hidden;
    private double[] _items = [];
    private bool _taped;

    /// <summary>Creates a scorer of a model.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="weights">Its weights, read at each call.</param>
    /// <param name="adapter">An adapter on them, or null.</param>
    /// <param name="pool">The threads.</param>
    /// <param name="recompute">Whether the backward pass computes activations again instead of keeping them all.</param>
    public SequenceScorer(LlamaConfig config, LlamaWeights weights, LoraWeights? adapter, WorkerPool pool, bool recompute = false)
    {
        _config = config;
        _tape = new ForwardTape(config, recompute);
        _transformer = new Transformer(config, weights, adapter, pool, shared: _tape.Layer(0));
        _head = new OutputHead(weights, pool, adapter is null && !recompute ? OutputHead.WorthKeeping(config.VocabularySize, config.HiddenSize) : 0);
        _passing = new KeyValueStore(config, oneLayer: true);
        _kept = new KeyValueStore(config);
    }

    /// <summary>Gets the number of rows of the last tree: tokens after merging what is shared.</summary>
    public int RowCount => _batch.RowCount;

    /// <summary>Gets the mean entropy of the next token over the rows that predict one, in nats, as of the last <see cref="Score"/>.</summary>
    public double MeanEntropy { get; private set; }

    /// <summary>Gets the number of rows that predict a counted token, as of the last <see cref="Score"/>.</summary>
    public int ScoredRowCount => _head.RowCount;

    /// <summary>Scores with other weights of the same shape from now on, in the same memory.</summary>
    public void Use(LlamaWeights weights, LoraWeights? adapter)
    {
        _taped = false;
        _transformer.Use(weights, adapter);
        _head.Use(weights);
    }

    /// <summary>Makes room for trees of so many rows, so that a first small one is not followed by a second set of buffers.</summary>
    /// <param name="rowCount">The rows of the largest tree.</param>
    /// <param name="forBackward">Whether <see cref="Backward"/> follows.</param>
    public void Reserve(int rowCount, bool forBackward)
    {
        _transformer.Reserve(rowCount);
        _head.Reserve(rowCount);
        (forBackward ? _kept : _passing).EnsureSlots(rowCount);
        if (forBackward)
        {
            _tape.Reserve(_config, rowCount);
        }
    }

    public void Clear() => _tree.Clear();

    /// <inheritdoc cref="TokenTree.Add"/>
    public int Add(ReadOnlySpan<int> tokens, int responseStart) => _tree.Add(tokens, responseStart);

    /// <summary>Computes Σ log π(token | all before it) over each sequence's response, in nats.</summary>
    /// <param name="logProbabilities">Receives the sums. Shape [sequences].</param>
    /// <param name="forBackward">Whether <see cref="Backward"/> follows.</param>
    /// <param name="cancellationToken">Looked at before each layer, and each chunk of the output head.</param>
    /// <exception cref="ArgumentException">A token is outside the vocabulary, or a sequence is longer than the context.</exception>
    /// <exception cref="NotFiniteNumberException">The network's output is NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public void Score(Span<double> logProbabilities, bool forBackward, CancellationToken cancellationToken = default)
    {
        _taped = false;
        _head.Cancellation = cancellationToken;
        _tree.Build(_batch);
        KeyValueStore store = forBackward ? _kept : _passing;
        store.EnsureSlots(_batch.RowCount);
        _hidden = _transformer.Forward(_batch, store, forBackward ? _tape : null, cancellationToken);
        if (_items.Length < _tree.Items.Length)
        {
            _items = new double[_tree.Items.Length + (_tree.Items.Length / 8)];
        }

        MeanEntropy = _head.LogProbabilities(_hidden, _tree.Items, _items, forBackward);
        _tree.Sum(_items, logProbabilities);
        _taped = forBackward;
    }

    /// <summary>Adds ∂/∂weights of Σ derivative·log-probability to the gradients, for the tree of the last <see cref="Score"/>.</summary>
    /// <param name="derivatives">∂loss/∂log-probability of each sequence.</param>
    /// <param name="gradients">What is trained.</param>
    /// <param name="cancellationToken">Looked at before each layer, and each chunk of the output head.</param>
    /// <exception cref="InvalidOperationException">The last score was not made for it.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the gradients hold a part of the sum.</exception>
    public void Backward(ReadOnlySpan<double> derivatives, ModelGradients gradients, CancellationToken cancellationToken = default)
    {
        if (!_taped)
        {
            throw new InvalidOperationException("Score the tree with forBackward before its backward pass, and once for each.");
        }

        _taped = false;
        _head.Cancellation = cancellationToken;
        _tree.Distribute(derivatives, _items);
        Matrix hiddenGradient = _transformer.HiddenGradient(_hidden.Rows);
        _head.Backward(_items.AsSpan(0, _tree.Items.Length), hiddenGradient, gradients.Full?.Head);
        _transformer.Backward(_batch, _kept, _tape, hiddenGradient, gradients, cancellationToken);
    }
}
