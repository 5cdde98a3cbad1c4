using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>Decodes one response at a time, behind what the sequence before it has left, with guesses of what it repeats.</summary>
/// <remarks>
/// A pass reads the newest token and a draft of what may follow. Tokens are drawn from its rows exactly as without a draft, for as long as each is the one that the next row has read; the rest is taken back.
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class SingleDecoder(SequenceSession session, IReadOnlyList<int> endTokens, int vocabularySize, int maxDraftLength)
{
    // Half precision, as most folders have it; nothing tells what the graph's weights are.
    private const int BytesPerWeight = 2;

    private readonly TokenSampler _sampler = new();
    private readonly RepetitionGuess _guess = new();
    private readonly float[] _scratch = new float[vocabularySize];
    private readonly int[] _pass = new int[1 + maxDraftLength];
    private bool _seesEveryToken = true;

    /// <summary>Decodes a response.</summary>
    /// <param name="row">The response; it has no token yet.</param>
    /// <param name="prediction">What it may repeat; empty to guess nothing.</param>
    /// <param name="cancellationToken">Ends the call within a token.</param>
    public void Decode(DecodedRow row, int[] prediction, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration registration = session.EndWith(cancellationToken);
        row.CachedPromptTokens = session.Begin(row.Prompt, row.Prompt.Length - 1, row.LongestLength);
        session.AppendAll(row.Prompt.AsSpan(row.CachedPromptTokens), cancellationToken);
        DrawNext(row);

        // What may be repeated, the prompt and the response, end to end.
        List<int> text = [.. prediction, .. row.Prompt, row.LastToken];
        _guess.Begin(place: 0);
        while (row.FinishReason is null)
        {
            cancellationToken.ThrowIfCancellationRequested();

            // The last token of a response is never read.
            int limit = prediction.Length > 0 && _seesEveryToken ? Math.Min(maxDraftLength, row.LongestLength - row.Length - 1) : 0;
            ReadOnlySpan<int> draft = limit > 0 ? _guess.Guess(CollectionsMarshal.AsSpan(text), activeRows: 1, RepetitionGuess.PassRows(BytesPerWeight), limit) : [];
            int before = row.Length;
            Step(row, draft, cancellationToken);
            text.AddRange(row.TokensFrom(before - row.Prompt.Length));
            if (limit > 0)
            {
                _guess.Learn(CollectionsMarshal.AsSpan(text), row.Length - before);
            }

            // All but the newest token are computed; a response that is over leaves its rest to be compared with the next.
            if (row.FinishReason is null && session.Length >= row.Length)
            {
                session.Truncate(row.Length - 1, cancellationToken);
            }
        }
    }

    private void Step(DecodedRow row, ReadOnlySpan<int> draft, CancellationToken cancellationToken)
    {
        _pass[0] = row.LastToken;
        draft.CopyTo(_pass.AsSpan(1));
        ReadOnlySpan<int> pass = _pass.AsSpan(0, 1 + draft.Length);
        int before = session.Length;
        session.Append(pass);
        if (pass.Length > 1)
        {
            if (TryDrawAll(row, pass))
            {
                return;
            }

            session.Truncate(before, cancellationToken);
            session.Append(pass[..1]);
        }

        DrawNext(row);
    }

    private bool TryDrawAll(DecodedRow row, ReadOnlySpan<int> pass)
    {
        using OgaLogits logits = session.AppendedLogits();
        if (logits.RowCount != pass.Length)
        {
            // The graph computes its head for the last token alone: nothing can be checked.
            _seesEveryToken = false;
            return false;
        }

        int drawn = 0;
        do
        {
            row.Draw(_sampler, logits.Row(drawn, _scratch), endTokens);
            drawn++;
        }
        while (row.FinishReason is null && drawn < pass.Length && row.LastToken == pass[drawn]);
        return true;
    }

    private void DrawNext(DecodedRow row)
    {
        using OgaLogits logits = session.NextLogits();
        row.Draw(_sampler, logits.Row(0, _scratch), endTokens);
    }
}
