namespace Aries;

/// <summary>What other trainers need of preference pairs.</summary>
public static class PreferencePairExtensions
{
    /// <summary>Expands pairs into rows for a trainer that knows nothing of refinement: the prompt of a refinement row is the filled template.</summary>
    /// <param name="pairs">The pairs.</param>
    /// <param name="template">z.</param>
    /// <param name="rows">Which rows each pair gives.</param>
    /// <returns>The rows, pair by pair, in the order of the enum's values; each keeps its pair's scores, label probability and trace id.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="pairs"/> or <paramref name="template"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="rows"/> is <see cref="PreferenceRows.None"/> or holds an unknown bit.</exception>
    public static IEnumerable<PreferencePair> ToRows(this IEnumerable<PreferencePair> pairs, RefinementTemplate template, PreferenceRows rows = PreferenceRows.All)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentNullException.ThrowIfNull(template);
        return rows is > PreferenceRows.None and <= PreferenceRows.All
            ? pairs.SelectMany(pair => RowsOf(pair, template, rows))
            : throw new ArgumentOutOfRangeException(nameof(rows), rows, "Name at least one kind of row, and no unknown one.");
    }

    private static IEnumerable<PreferencePair> RowsOf(PreferencePair pair, RefinementTemplate template, PreferenceRows rows)
    {
        if (rows.HasFlag(PreferenceRows.Direct))
        {
            yield return pair;
        }

        if (rows.HasFlag(PreferenceRows.RefineRejected))
        {
            yield return pair with { Prompt = template.Apply(pair.Prompt, pair.Rejected) };
        }

        if (rows.HasFlag(PreferenceRows.RefineChosen))
        {
            yield return pair with { Prompt = template.Apply(pair.Prompt, pair.Chosen) };
        }
    }
}
