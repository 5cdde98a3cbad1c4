namespace Aries;

/// <summary>Guesses how a sequence goes on: as it went on where its last tokens stood before.</summary>
/// <remarks>
/// <para>
/// Prompt lookup (Saxena 2023, <see href="https://github.com/apoorvumang/prompt-lookup-decoding"/>): the draft of a speculative decoder without a second model. A text that
/// rewrites another is best guessed behind the place that was copied last, so of several places the first one after that is taken.
/// </para>
/// <para>No index is kept: a scan reads one number a token of the sequence, where attention reads its keys and values in every layer.</para>
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class RepetitionGuess
{
    /// <summary>The number of sequences in a batch beyond which hardly a guess is worth its row.</summary>
    public const int LargestBatch = 32;

    // Fewer tokens stand in too many places, and more hardly ever change the choice.
    private const int LongestMatch = 3;
    private const int ShortestMatch = 2;

    // How far behind the place copied last a single token is enough to go on.
    private const int NearbyTokens = 8;

    // A pass takes the time of so many rows for every byte of a weight, and then that of its rows: what reading a weight takes beside a multiply-add with it.
    // Measured on two cores, passes of 1 to 12 rows on the 135M configuration: 23 rows and theirs in float32, 10 in bfloat16, 5 in int8.
    private const int RowsPerByte = 6;

    // The share of right guesses before any was seen, and the weight of the newest one.
    private const double FirstHitRate = 0.6;
    private const double NewestWeight = 1.0 / 16;

    private int _place;
    private int _guess;
    private double _hitRate;

    /// <summary>Returns how many rows a pass takes the time of before its first: up to about as many, it is bound by reading the weights.</summary>
    /// <param name="bytesPerWeight">How many bytes a weight is stored in.</param>
    public static int PassRows(int bytesPerWeight) => RowsPerByte * bytesPerWeight;

    /// <summary>Begins a sequence.</summary>
    /// <param name="place">Where a copy most likely begins; null where nobody knows.</param>
    public void Begin(int? place) => (_place, _guess, _hitRate) = (place ?? int.MaxValue, -1, FirstHitRate);

    /// <summary>Finds what the next tokens may be.</summary>
    /// <param name="tokens">The sequence so far.</param>
    /// <param name="activeRows">How many sequences share the pass: the more, the dearer a row that is wrong.</param>
    /// <param name="passRows">What reading the weights costs: see <see cref="PassRows"/>.</param>
    /// <param name="limit">How many tokens may be guessed.</param>
    /// <returns>The part of the sequence that the guess repeats; often empty.</returns>
    public ReadOnlySpan<int> Guess(ReadOnlySpan<int> tokens, int activeRows, int passRows, int limit)
    {
        _guess = Find(tokens);
        if (_guess < 0)
        {
            return [];
        }

        // The next guessed token is right with the product of the hit rates; it is worth its row where the pass gives fewer tokens for the time of one.
        double worth = activeRows / (double)(passRows + activeRows);
        int length = 0;
        for (double right = _hitRate; length < limit && right > worth; right *= _hitRate)
        {
            length++;
        }

        return tokens.Slice(_guess, Math.Min(length, tokens.Length - _guess));
    }

    /// <summary>Compares the last guess, used or not, with what came.</summary>
    /// <param name="tokens">The sequence, the new tokens included.</param>
    /// <param name="newCount">How many are new.</param>
    public void Learn(ReadOnlySpan<int> tokens, int newCount)
    {
        if (_guess < 0)
        {
            return;
        }

        ReadOnlySpan<int> came = tokens[^newCount..];
        ReadOnlySpan<int> guessed = tokens[_guess..^newCount];
        int right = came.CommonPrefixLength(guessed);
        for (int i = 0; i < right; i++)
        {
            _hitRate += NewestWeight * (1 - _hitRate);
        }

        if (right < Math.Min(came.Length, guessed.Length))
        {
            _hitRate -= NewestWeight * _hitRate;
        }

        _place = _guess + right;
    }

    private int Find(ReadOnlySpan<int> tokens)
    {
        // The newest token is no match for itself.
        ReadOnlySpan<int> earlier = tokens[..^1];
        for (int length = Math.Min(LongestMatch, earlier.Length); length >= ShortestMatch; length--)
        {
            ReadOnlySpan<int> last = tokens[^length..];
            int from = Math.Clamp(_place - length, 0, earlier.Length);
            int at = earlier[from..].IndexOf(last);
            if (at >= 0)
            {
                return from + at + length;
            }

            at = earlier[..Math.Min(earlier.Length, from + length - 1)].LastIndexOf(last);
            if (at >= 0)
            {
                return at + length;
            }
        }

        int near = Math.Min(_place, earlier.Length);
        int next = earlier.Slice(near, Math.Min(NearbyTokens, earlier.Length - near)).IndexOf(tokens[^1]);
        return next < 0 ? -1 : near + next + 1;
    }
}
