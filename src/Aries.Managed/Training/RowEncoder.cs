using Aries.Preferences;

namespace Aries.Managed;

/// <summary>Makes training rows of texts: the sequences that a loss scores, cut by one rule, without rows that teach nothing.</summary>
internal sealed class RowEncoder(ISequenceEncoder encoder, RefinementTemplate template, int maxLength, TruncationRule rule)
{
    private static readonly TrainingSequence Unscored = new([], 0);

    /// <summary>Gets the number of pairs or examples that were left out so far.</summary>
    public int DroppedCount { get; private set; }

    /// <summary>Gets how many sequences had a boundary between prompt and response inside a token, so that the response was encoded alone.</summary>
    public long MovedBoundaryCount => encoder.MovedBoundaryCount;

    /// <summary>Encodes pairs.</summary>
    /// <exception cref="ArgumentException">The loss wants mismatched sequences and all pairs have one prompt.</exception>
    public List<TrainingRow> Pairs(IReadOnlyList<PreferencePair> pairs, PairSequences sequences, CancellationToken cancellationToken)
    {
        bool wantsMismatched = sequences.HasFlag(PairSequences.Mismatched);
        if (wantsMismatched && pairs.All(pair => pair.Prompt == pairs[0].Prompt))
        {
            throw new ArgumentException("The loss scores a prompt with the response to another one, so it needs pairs of two prompts or more.", nameof(pairs));
        }

        List<TrainingRow> rows = [];
        for (int index = 0; index < pairs.Count; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            PreferencePair pair = pairs[index];
            string neighbour = wantsMismatched ? ResponseToAnotherPrompt(pairs, index) : "";
            TrainingSequence[] row =
                [.. Enumerable.Range(0, PairBatch.SequenceCount).Select(kind => (((int)sequences >> kind) & 1) == 0 ? Unscored : Encode(pair, (PairSequence)kind, neighbour))];
            AddUnlessUseless(rows, row, sequences, pair.ChosenProbability);
        }

        return rows;
    }

    // The next pair's, or where several pairs share a prompt, that of the next pair after them.
    private static string ResponseToAnotherPrompt(IReadOnlyList<PreferencePair> pairs, int index)
    {
        int other = index;
        do
        {
            other = (other + 1) % pairs.Count;
        }
        while (pairs[other].Prompt == pairs[index].Prompt);

        return pairs[other].Chosen;
    }

    /// <summary>Encodes supervised examples, as rows with a <see cref="PairSequence.Chosen"/> sequence.</summary>
    public List<TrainingRow> Examples(IReadOnlyList<SupervisedExample> examples, CancellationToken cancellationToken)
    {
        List<TrainingRow> rows = [];
        foreach (SupervisedExample example in examples)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Prompt prompt = example.PreviousResponse is { } previous ? template.Apply(example.Prompt, previous) : example.Prompt;
            TrainingSequence[] row = [.. Enumerable.Repeat(Unscored, PairBatch.SequenceCount)];
            row[(int)PairSequence.Chosen] = Cut(encoder.Encode(prompt, example.Response));
            AddUnlessUseless(rows, row, PairSequences.Chosen, chosenProbability: 1);
        }

        return rows;
    }

    private TrainingSequence Encode(PreferencePair pair, PairSequence sequence, string neighbour)
    {
        (string? previous, string response) = sequence switch
        {
            PairSequence.Chosen => (null, pair.Chosen),
            PairSequence.Rejected => (null, pair.Rejected),
            PairSequence.ChosenGivenRejected => (pair.Rejected, pair.Chosen),
            PairSequence.RejectedGivenRejected => (pair.Rejected, pair.Rejected),
            PairSequence.RejectedGivenChosen => (pair.Chosen, pair.Rejected),
            PairSequence.ChosenGivenChosen => (pair.Chosen, pair.Chosen),
            _ => ((string?)null, neighbour),
        };
        return Cut(encoder.Encode(previous is null ? pair.Prompt : template.Apply(pair.Prompt, previous), response));
    }

    // A sequence that must be dropped keeps no response token.
    private TrainingSequence Cut(TrainingSequence sequence)
    {
        if (sequence.Tokens.Length <= maxLength)
        {
            return sequence;
        }

        return rule == TruncationRule.Drop || sequence.ResponseStart >= maxLength
            ? new TrainingSequence(sequence.Tokens, sequence.Tokens.Length)
            : sequence with { Tokens = sequence.Tokens[..maxLength] };
    }

    private void AddUnlessUseless(List<TrainingRow> rows, TrainingSequence[] row, PairSequences sequences, double chosenProbability)
    {
        bool empty = Enumerable.Range(0, row.Length).Any(kind => (((int)sequences >> kind) & 1) != 0 && row[kind].ResponseLength < 1);

        // Two equal responses have a constant loss and no gradient, which would only thin out the batch.
        bool equal = AreEqual(row[(int)PairSequence.Chosen], row[(int)PairSequence.Rejected])
            || AreEqual(row[(int)PairSequence.ChosenGivenRejected], row[(int)PairSequence.RejectedGivenRejected]);
        if (empty || equal)
        {
            DroppedCount++;
            return;
        }

        rows.Add(new TrainingRow(row, chosenProbability));
    }

    private static bool AreEqual(TrainingSequence first, TrainingSequence second) =>
        first.Tokens.Length > 0 && first.Tokens.AsSpan().SequenceEqual(second.Tokens);
}
