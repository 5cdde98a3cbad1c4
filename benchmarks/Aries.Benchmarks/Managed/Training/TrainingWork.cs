using System.Diagnostics;
using Aries.Managed;
using Aries.Preferences;

namespace Aries.Benchmarks.Managed;

/// <summary>The work of a training benchmark: a model of random weights with an adapter, and pairs of random tokens. Neither changes what a step costs.</summary>
/// <remarks>
/// Lengths are those of <c>benchmarks/peers/dpo_step.py</c>: alike, prompt and response together 7/8 to 8/8 of the length, the prompt 1/8 to 1/4 of it, the same for both responses; or those of a dialogue.
/// A refinement prompt is the prompt, 24 tokens of a template, the earlier answer, and 8 more.
/// </remarks>
internal sealed class TrainingWork
{
    private const int TemplateBefore = 24;
    private const int TemplateAfter = 8;

    /// <summary>Creates pairs of like lengths.</summary>
    public TrainingWork(LlamaConfig config, int rank, int pairCount, int length, PairSequences sequences)
        : this(config, rank, sequences, random => [.. Enumerable.Range(0, pairCount).Select(_ => Alike(random, length))])
    {
    }

    /// <summary>Creates pairs of given lengths.</summary>
    public TrainingWork(LlamaConfig config, int rank, IReadOnlyList<PairLength> lengths, PairSequences sequences)
        : this(config, rank, sequences, _ => lengths)
    {
    }

    private TrainingWork(LlamaConfig config, int rank, PairSequences sequences, Func<Random, IReadOnlyList<PairLength>> lengths)
    {
        LlamaWeights weights = LlamaWeights.Allocate(config);
        LlamaInitializer.Fill(weights, new Random(1));
        LoraWeights? adapter = rank == 0 ? null : LoraInitialization.Create(weights, new LoraOptions { Rank = rank }, seed: 1);
        Model = new TrainedModel(config, weights, adapter);
        Sequences = sequences;
        Random random = new(1);
        Rows = [.. lengths(random).Select(length => Row(random, config.VocabularySize, length))];
    }

    public TrainedModel Model { get; }

    public PairSequences Sequences { get; }

    public TrainingRow[] Rows { get; }

    /// <summary>Gets the tokens of prompts and responses of the direct pairs, each sequence counted whole: what the usual way computes, without padding.</summary>
    public int TokenCount => Rows.Sum(row => row[PairSequence.Chosen].Tokens.Length + row[PairSequence.Rejected].Tokens.Length);

    /// <summary>
    /// Counts the floating-point operations that a step needs: what is shared once, two for a multiply-add. The frozen weights take a product forward and one back to the inputs, adapters one more
    /// for themselves, attention two forward and four back over the keys that a row sees. Nothing that is computed again is counted.
    /// </summary>
    public double UsefulOperations()
    {
        TokenTree tree = new();
        foreach (TrainingRow row in Rows)
        {
            foreach (TrainingSequence sequence in row.Sequences.Where(sequence => sequence.Tokens.Length > 0))
            {
                tree.Add(sequence.Tokens, sequence.ResponseStart);
            }
        }

        RowBatch batch = new();
        tree.Build(batch);
        LlamaConfig config = Model.Config;
        double weights = Model.Weights.Layers.Sum(layer =>
            (double)new[] { layer.Query, layer.Key, layer.Value, layer.Output, layer.Gate, layer.Up, layer.Down }.Sum(weight => (long)weight.Values.Length));
        double adapters = Model.Adapter?.Parameters().Sum(parameter => (double)parameter.Values.Length) ?? 0;
        bool full = Model.Adapter is null;
        double keys = 0;
        foreach (int position in batch.Positions)
        {
            keys += position + 1;
        }

        double scored = 0;
        int last = -1;
        foreach (ScoredItem item in tree.Items)
        {
            scored += item.Row == last ? 0 : 1;
            last = item.Row;
        }

        double head = (double)config.VocabularySize * config.HiddenSize;
        double attention = 2.0 * 6 * config.LayerCount * config.HeadCount * config.HeadSize * keys;
        return (2 * batch.RowCount * ((weights * (full ? 3 : 2)) + (adapters * 3))) + attention + (2 * scored * head * (full ? 3 : 2));
    }

    /// <summary>Makes the step as the trainer makes it: token trees, the reference's scores known.</summary>
    /// <returns>An action that runs one step.</returns>
    public Action CreateStep(IPreferenceLoss loss, WorkerPool pool, bool recompute = false)
    {
        int[] all = [.. Enumerable.Range(0, Rows.Length)];
        OptimizerStep step = new(Model, loss, new AdamWOptions(), Rows, MicroBatches.DefaultTokens(Model.Config), recompute, pool);
        step.Reference = step.ScoreReference(Model with { Adapter = null }, CancellationToken.None);
        return () => step.Run(all, learningRate: 1e-4, CancellationToken.None);
    }

    private static PairLength Alike(Random random, int length)
    {
        int prompt = random.Next(length / 8, (length / 4) + 1);
        return new PairLength(prompt, random.Next(length * 7 / 8, length + 1) - prompt, random.Next(length * 7 / 8, length + 1) - prompt);
    }

    private TrainingRow Row(Random random, int vocabulary, PairLength length)
    {
        int[] question = Tokens(length.Prompt);
        int[] chosen = Tokens(length.Chosen);
        int[] rejected = Tokens(length.Rejected);
        (int[] before, int[] after) = (Template(TemplateBefore), Template(TemplateAfter));
        TrainingSequence[] sequences = new TrainingSequence[PairBatch.SequenceCount];
        for (int kind = 0; kind < sequences.Length; kind++)
        {
            sequences[kind] = (((int)Sequences >> kind) & 1) == 0 ? new TrainingSequence([], 0) : (PairSequence)kind switch
            {
                PairSequence.Chosen => Sequence(question, chosen),
                PairSequence.Rejected => Sequence(question, rejected),
                PairSequence.ChosenGivenRejected => Sequence([.. question, .. before, .. rejected, .. after], chosen),
                PairSequence.RejectedGivenRejected => Sequence([.. question, .. before, .. rejected, .. after], rejected),
                PairSequence.RejectedGivenChosen => Sequence([.. question, .. before, .. chosen, .. after], rejected),
                PairSequence.ChosenGivenChosen => Sequence([.. question, .. before, .. chosen, .. after], chosen),
                _ => throw new UnreachableException(),
            };
        }

        return new TrainingRow(sequences, ChosenProbability: 1);

        int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(3, vocabulary))];

        int[] Template(int count) => [.. Enumerable.Range(0, count).Select(index => 3 + index)];

        static TrainingSequence Sequence(int[] prompt, int[] response) => new([.. prompt, .. response], prompt.Length);
    }
}
