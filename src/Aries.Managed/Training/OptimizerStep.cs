using Aries.Preferences;

namespace Aries.Managed;

/// <summary>One optimiser step on given rows: score, loss, backward pass, clip, update. The gradients of the micro-batches add up to those of the whole batch.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class OptimizerStep
{
    private readonly IPreferenceLoss _loss;
    private readonly IReadOnlyList<TrainingRow> _rows;
    private readonly TrainedModel _model;
    private readonly WorkerPool _pool;
    private readonly MicroBatches _parts;
    private readonly SequenceScorer _scorer;
    private readonly ModelGradients _gradients;
    private readonly RowScores _part;
    private readonly RowScores _whole;
    private readonly PreferenceMetrics _metrics = new();
    private double _entropy;
    private long _entropyRows;
    private int _reservedFor;

    public OptimizerStep(
        TrainedModel model, IPreferenceLoss loss, AdamWOptions optimizer, IReadOnlyList<TrainingRow> rows, int tokenBudget, bool recompute, WorkerPool pool)
    {
        (_model, _loss, _rows, _pool, _parts) = (model, loss, rows, pool, new MicroBatches(tokenBudget));
        _scorer = new SequenceScorer(model.Config, model.Weights, model.Adapter, pool, recompute);
        _gradients = model.CreateGradients();
        Optimizer = new AdamW(model.Trained(), optimizer, pool);
        bool soft = rows.Any(row => row.ChosenProbability != 1);
        _part = new RowScores(loss.Sequences, soft);
        _whole = new RowScores(loss.Sequences, soft);
    }

    public AdamW Optimizer { get; }

    /// <summary>Gets memory for weights of the model's shape that is free until the first step: its gradients' where all weights are trained, otherwise null.</summary>
    public LlamaWeights? FreeWeights => _gradients.Full;

    /// <summary>Gets or sets what the reference says of the rows; null for a loss without a reference.</summary>
    public ReferenceScores? Reference { get; set; }

    /// <summary>Gets the tokens of all sequences so far, shared prefixes counted as often as they occur.</summary>
    public long TokenCount { get; set; }

    /// <summary>Scores every row with a reference, in the memory of the steps where it computes as the model does.</summary>
    /// <exception cref="NotFiniteNumberException">The reference's output is NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ReferenceScores ScoreReference(TrainedModel reference, CancellationToken cancellationToken)
    {
        if (!reference.Config.ComputesLike(_model.Config))
        {
            SequenceScorer other = new(reference.Config, reference.Weights, reference.Adapter, _pool);
            return ReferenceScores.Compute(other, _rows, _loss.Sequences, _parts.TokenBudget, cancellationToken);
        }

        try
        {
            _scorer.Use(reference.Weights, reference.Adapter);
            return ReferenceScores.Compute(_scorer, _rows, _loss.Sequences, _parts.TokenBudget, cancellationToken);
        }
        finally
        {
            _scorer.Use(_model.Weights, _model.Adapter);
        }
    }

    /// <summary>Makes one step. When it throws, the weights and the optimiser are as before.</summary>
    /// <param name="batch">The rows of the step, as indices.</param>
    /// <param name="learningRate">The learning rate.</param>
    /// <param name="cancellationToken">Looked at before each layer of each micro-batch, forward and backward; the update is never cut short.</param>
    /// <returns>The step's metrics under the names of <see cref="PreferenceMetricNames"/>, and <c>learning_rate</c>.</returns>
    /// <exception cref="TrainingDivergedException">A number was not finite.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Dictionary<string, double> Run(ReadOnlySpan<int> batch, double learningRate, CancellationToken cancellationToken)
    {
        Step(batch, learningRate, cancellationToken);
        Dictionary<string, double> result = _metrics.ToDictionary();
        result["learning_rate"] = learningRate;
        return result;
    }

    /// <summary>Makes one step as <see cref="Run"/> does, without its report. Allocates nothing after the first step of the largest batch.</summary>
    public void Step(ReadOnlySpan<int> batch, double learningRate, CancellationToken cancellationToken)
    {
        int step = Optimizer.StepCount + 1;
        _metrics.Reset();
        _gradients.Clear(_pool);
        (_entropy, _entropyRows) = (0, 0);
        try
        {
            Accumulate(batch, step, cancellationToken);
        }
        catch (NotFiniteNumberException exception)
        {
            throw new TrainingDivergedException(step, "a hidden state", exception.OffendingNumber, exception);
        }

        double norm = Optimizer.GradientNorm(_gradients.Parameters);
        if (!double.IsFinite(norm))
        {
            throw new TrainingDivergedException(step, "the gradient's norm", norm);
        }

        Optimizer.Step(_gradients.Parameters, norm, learningRate);
        foreach (int row in batch)
        {
            TokenCount += _rows[row].TokenCount;
        }

        (_metrics.GradientNorm, _metrics.TokenCount, _metrics.Entropy) = (norm, TokenCount, _entropyRows == 0 ? null : _entropy / _entropyRows);
    }

    private void Accumulate(ReadOnlySpan<int> batch, int step, CancellationToken cancellationToken)
    {
        int chosenTokens = 0;
        foreach (int row in batch)
        {
            chosenTokens += _rows[row][PairSequence.Chosen].ResponseLength;
        }

        Reserve(batch.Length);
        ReadOnlySpan<MicroBatch> parts = _parts.Split(_rows, batch);

        // KTO's reference point is a mean over the batch: its derivatives need every log-probability first.
        bool coupled = (_loss.Sequences & PairSequences.Mismatched) != 0 && parts.Length > 1;
        if (coupled)
        {
            ComputeWhole(batch, parts, step, chosenTokens, cancellationToken);
        }

        foreach ((int start, int count, _) in parts)
        {
            _part.Load(_rows, batch.Slice(start, count), Reference);
            _part.Score(_scorer, forBackward: true, cancellationToken);
            _entropy += _scorer.MeanEntropy * _scorer.ScoredRowCount;
            _entropyRows += _scorer.ScoredRowCount;
            if (coupled)
            {
                _part.TakeGradients(_whole, start);
            }
            else
            {
                ComputeLoss(_part, step, batch.Length, chosenTokens);
            }

            _part.Backward(_scorer, _gradients, batch.Length, cancellationToken);
        }
    }

    // For the largest micro-batch that there will be: memory that grew would leave as much behind, and nobody knows when the collector takes it.
    private void Reserve(int batchSize)
    {
        if (batchSize > _reservedFor)
        {
            _reservedFor = batchSize;
            _scorer.Reserve(_parts.MostTokens(_rows, batchSize), forBackward: true);
        }
    }

    private void ComputeWhole(
        ReadOnlySpan<int> batch, ReadOnlySpan<MicroBatch> parts, int step, int chosenTokens, CancellationToken cancellationToken)
    {
        _whole.Load(_rows, batch, Reference);
        foreach ((int start, int count, _) in parts)
        {
            _part.Load(_rows, batch.Slice(start, count), Reference);
            _part.Score(_scorer, forBackward: false, cancellationToken);
            _part.PutPolicy(_whole, start);
        }

        ComputeLoss(_whole, step, batch.Length, chosenTokens);
    }

    private void ComputeLoss(RowScores scores, int step, int pairCount, int chosenTokens)
    {
        PairBatch pairs = scores.Show(pairCount, chosenTokens);
        _loss.Compute(pairs, scores.Losses, new PairGradients(scores.Gradients));
        foreach (double value in scores.Losses)
        {
            if (!double.IsFinite(value))
            {
                throw new TrainingDivergedException(step, "a pair's loss", value);
            }
        }

        _metrics.Add(pairs, scores.Losses, _loss);
    }
}
