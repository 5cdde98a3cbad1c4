namespace Aries.OnnxRuntimeGenAI;

/// <summary>Scores responses by the logits of the tokens before theirs.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class ResponseScorer(SequenceSession session, int vocabularySize)
{
    private readonly TokenSampler _sampler = new();
    private readonly float[] _scratch = new float[vocabularySize];
    private bool _seesEveryToken = true;

    /// <summary>Computes log π(token | tokens before) of the response tokens of sequences.</summary>
    /// <param name="sequences">Tokens, and the index of the first response token: at least 1, below the number of tokens.</param>
    /// <param name="cancellationToken">Ends the call within a pass.</param>
    /// <returns>For each sequence the log-probability of each response token, in nats.</returns>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution.</exception>
    public float[][] Score(IReadOnlyList<(int[] Tokens, int ResponseStart)> sequences, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration registration = session.EndWith(cancellationToken);
        float[][] results = [.. sequences.Select(sequence => new float[sequence.Tokens.Length - sequence.ResponseStart])];

        // Those that begin alike follow each other, and the second one computes only where it differs.
        int[] order = [.. Enumerable.Range(0, sequences.Count)];
        Array.Sort(order, (left, right) => sequences[left].Tokens.AsSpan().SequenceCompareTo(sequences[right].Tokens));
        foreach (int index in order)
        {
            Score(sequences[index].Tokens, sequences[index].ResponseStart, results[index], cancellationToken);
        }

        return results;
    }

    private void Score(int[] tokens, int responseStart, float[] result, CancellationToken cancellationToken)
    {
        // The token before the response is always computed: its logits are wanted. The last one predicts nothing.
        int start = session.Begin(tokens, responseStart - 1, tokens.Length);
        int end = tokens.Length - 1;
        if (session.PrefillLength < int.MaxValue)
        {
            session.AppendAll(tokens.AsSpan(start..(responseStart - 1)), cancellationToken);
            start = responseStart - 1;
        }

        while (start < end)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = _seesEveryToken ? Math.Min(session.PrefillLength, end - start) : 1;
            session.Append(tokens.AsSpan(start, count));
            if (TryScore(tokens, start, count, responseStart, result))
            {
                start += count;
            }
            else
            {
                _seesEveryToken = false;
                session.Truncate(start, cancellationToken);
            }
        }
    }

    private bool TryScore(int[] tokens, int start, int count, int responseStart, float[] result)
    {
        using OgaLogits logits = count == 1 ? session.NextLogits() : session.AppendedLogits();
        if (logits.RowCount != count)
        {
            return false;
        }

        for (int position = Math.Max(start, responseStart - 1); position < start + count; position++)
        {
            float value = _sampler.LogProbability(logits.Row(position - start, _scratch), tokens[position + 1]);
            result[position + 1 - responseStart] = float.IsNaN(value) ? throw new NonFiniteLogitsException(position + 1 - responseStart, value) : value;
        }

        return true;
    }
}
