using Aries.Managed;
using Aries.Preferences;

namespace Aries.Benchmarks.Managed;

/// <summary>
/// The baseline: one step the usual way, on this engine's own layers and products. The sequences of a micro-batch stand in one batch, padded to the longest; the reference is computed in the step,
/// with the adapter off; the logits of every position are held whole.
/// </summary>
internal sealed class UsualStep
{
    private readonly TrainingWork _work;
    private readonly IPreferenceLoss _loss;
    private readonly WorkerPool _pool;
    private readonly Transformer _policy;
    private readonly Transformer _reference;
    private readonly KeyValueStore _store;
    private readonly ForwardTape _tape;
    private readonly ModelGradients _gradients;
    private readonly AdamW _optimizer;
    private readonly PaddedBatch[] _batches;
    private readonly float[] _logits;
    private readonly float[] _hiddenGradient;

    public UsualStep(TrainingWork work, IPreferenceLoss loss, int microBatchPairs, WorkerPool pool)
    {
        TrainedModel model = work.Model;
        (_work, _loss, _pool) = (work, loss, pool);
        _policy = new Transformer(model.Config, model.Weights, model.Adapter, pool);
        _reference = new Transformer(model.Config, model.Weights, adapter: null, pool);
        _store = new KeyValueStore(model.Config);
        _tape = new ForwardTape(model.Config);
        _gradients = model.CreateGradients();
        _optimizer = new AdamW(model.Trained(), new AdamWOptions(), pool);
        _batches = [.. work.Rows.Chunk(microBatchPairs).Select(rows => new PaddedBatch(rows))];
        int rows = _batches.Max(batch => batch.Rows.RowCount);
        _store.EnsureSlots(rows);
        _logits = new float[rows * model.Config.VocabularySize];
        _hiddenGradient = new float[rows * model.Config.HiddenSize];
    }

    public void Run()
    {
        _gradients.Clear(_pool);
        foreach (PaddedBatch batch in _batches)
        {
            Matrix logits = new(_logits, batch.Rows.RowCount, _work.Model.Config.VocabularySize);
            double[] logSumExps = new double[batch.Rows.RowCount];
            double[] reference = LogProbabilities(_reference, tape: null, batch, logits, logSumExps);
            double[] policy = LogProbabilities(_policy, _tape, batch, logits, logSumExps);
            double[] gradients = new double[policy.Length];
            _loss.Compute(new PairBatch(policy, reference, lengths: [], pairCount: _work.Rows.Length), new double[batch.PairCount], new PairGradients(gradients));

            Differentiate(batch, logits, logSumExps, gradients);
            Matrix hiddenGradient = new(_hiddenGradient, batch.Rows.RowCount, _work.Model.Config.HiddenSize);
            MatrixProduct.Times(logits, _work.Model.Weights.Head, hiddenGradient, accumulate: false, _pool);
            _policy.Backward(batch.Rows, _store, _tape, hiddenGradient, _gradients);
        }

        _optimizer.Step(_gradients.Parameters, _optimizer.GradientNorm(_gradients.Parameters), learningRate: 1e-4);
    }

    private double[] LogProbabilities(Transformer transformer, ForwardTape? tape, PaddedBatch batch, Matrix logits, double[] logSumExps)
    {
        Matrix hidden = transformer.Forward(batch.Rows, _store, tape);
        MatrixProduct.TimesTransposed(hidden, _work.Model.Weights.Head, logits, accumulate: false, _pool);
        _pool.Run(logits.Rows, (logits, logSumExps), static (state, row) =>
            LogSoftmaxKernel.LogSumExps(state.logits.Row(row), state.logits.Columns, state.logSumExps.AsSpan(row, 1)));
        double[] result = new double[PairBatch.SequenceCount * batch.PairCount];
        foreach ((int sequence, int row, int target) in batch.Items)
        {
            result[sequence] += logits.Row(row)[target] - logSumExps[row];
        }

        return result;
    }

    // Logits become their gradients; a padded position has none.
    private void Differentiate(PaddedBatch batch, Matrix logits, double[] logSumExps, double[] gradients)
    {
        (int Target, double Coefficient)[] ofRow = new (int, double)[logits.Rows];
        foreach ((int sequence, int row, int target) in batch.Items)
        {
            ofRow[row] = (target, gradients[sequence] / _work.Rows.Length);
        }

        _pool.Run(logits.Rows, (logits, logSumExps, ofRow), static (state, row) => LogSoftmaxKernel.Gradient(
            state.logits.Row(row), state.logits.Columns, state.logSumExps.AsSpan(row, 1), [0], [state.ofRow[row].Target], [state.ofRow[row].Coefficient]));
    }

    private sealed class PaddedBatch
    {
        public PaddedBatch(TrainingRow[] pairs)
        {
            PairCount = pairs.Length;
            int longest = pairs.Max(pair => pair.Sequences.Max(sequence => sequence.Tokens.Length));
            for (int pair = 0; pair < pairs.Length; pair++)
            {
                for (int kind = 0; kind < PairBatch.SequenceCount; kind++)
                {
                    if (pairs[pair].Sequences[kind].Tokens.Length > 0)
                    {
                        Add(pairs[pair].Sequences[kind], longest, index: (kind * pairs.Length) + pair);
                    }
                }
            }
        }

        public int PairCount { get; }

        public RowBatch Rows { get; } = new();

        /// <summary>Gets each counted token: its sequence's place in a <see cref="PairBatch"/>, the row that predicts it, and the token.</summary>
        public List<(int Sequence, int Row, int Target)> Items { get; } = [];

        private void Add(TrainingSequence sequence, int longest, int index)
        {
            int[] padded = new int[longest];
            sequence.Tokens.CopyTo(padded, 0);
            int first = Rows.AddSegment(padded, Rows.RowCount, []);
            for (int position = sequence.ResponseStart; position < sequence.Tokens.Length; position++)
            {
                Items.Add((index, first + position - 1, sequence.Tokens[position]));
            }
        }
    }
}
