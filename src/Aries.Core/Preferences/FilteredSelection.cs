using System.Globalization;

namespace Aries;

/// <summary>Drops pairs of another selector by their texts and scores, each with its reason.</summary>
/// <remarks>The first reason that applies counts, in this order: empty, equal, truncated, too long, not scored, margin, near-equal.</remarks>
/// <threadsafety>As thread-safe as the inner selector.</threadsafety>
public sealed class FilteredSelection : IPreferencePairSelector
{
    private readonly IPreferencePairSelector _inner;
    private readonly PairFilterOptions _options;

    /// <summary>Creates the selector.</summary>
    /// <param name="inner">Makes the pairs.</param>
    /// <param name="options">Which are dropped; null for the defaults. Copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="inner"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public FilteredSelection(IPreferencePairSelector inner, PairFilterOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(inner);
        options ??= new PairFilterOptions();
        options.Validate();
        (_inner, _options) = (inner, options with { });
    }

    /// <inheritdoc />
    public bool NeedsScores => _inner.NeedsScores || _options.MinimumMargin is not null;

    /// <inheritdoc />
    /// <exception cref="NotSupportedException">A limit in tokens is set, and the chain has no token counts.</exception>
    public PairSelection SelectPairs(RefinementTrace trace)
    {
        PairSelection selection = _inner.SelectPairs(trace);
        List<PreferencePair> kept = [];
        List<string> drops = [.. selection.Drops];
        foreach (PreferencePair pair in selection.Pairs)
        {
            if (FindReason(pair, trace) is { } reason)
            {
                drops.Add(reason);
            }
            else
            {
                kept.Add(pair);
            }
        }

        return new PairSelection(kept, drops);
    }

    /// <summary>Returns the name, every setting that changes a pair, and the inner selector's.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{nameof(FilteredSelection)} {{ DropEmpty = {_options.DropEmpty}, DropEqual = {_options.DropEqual}, DropTruncated = {_options.DropTruncated}, MinimumMargin = {_options.MinimumMargin}, MinimumDistance = {_options.MinimumDistance}, MaxCharacters = {_options.MaxCharacters}, MaxTokens = {_options.MaxTokens}, Inner = {_inner} }}");

    private string? FindReason(PreferencePair pair, RefinementTrace trace)
    {
        if (_options.DropEmpty && (string.IsNullOrWhiteSpace(pair.Chosen) || string.IsNullOrWhiteSpace(pair.Rejected)))
        {
            return PairDropReasons.Empty;
        }

        if (_options.DropEqual && pair.Chosen == pair.Rejected)
        {
            return PairDropReasons.Equal;
        }

        if (_options.DropTruncated && (IsTruncated(pair.Chosen, trace) || IsTruncated(pair.Rejected, trace)))
        {
            return PairDropReasons.Truncated;
        }

        if (IsTooLong(pair.Chosen, trace) || IsTooLong(pair.Rejected, trace))
        {
            return PairDropReasons.TooLong;
        }

        if (_options.MinimumMargin is { } margin)
        {
            if (pair.ChosenScore is not { } chosenScore || pair.RejectedScore is not { } rejectedScore)
            {
                return PairDropReasons.NotScored;
            }

            if (chosenScore - rejectedScore < margin)
            {
                return PairDropReasons.Margin;
            }
        }

        return _options.MinimumDistance is { } distance && EditDistance.IsBelow(pair.Chosen, pair.Rejected, distance) ? PairDropReasons.NearEqual : null;
    }

    private bool IsTooLong(string text, RefinementTrace trace)
    {
        if (text.Length > _options.MaxCharacters)
        {
            return true;
        }

        return _options.MaxTokens is { } most && DraftsOf(text, trace).Any(draft => CountTokens(draft) > most);
    }

    private static long CountTokens(TraceStep draft) => draft.Usage.ResponseTokens > 0 || draft.Text.Length == 0
        ? draft.Usage.ResponseTokens
        : throw new NotSupportedException("MaxTokens is set, but the policy reported no token usage. Use a policy that does, or set MaxCharacters instead.");

    private static bool IsTruncated(string text, RefinementTrace trace) => DraftsOf(text, trace).Any(draft => draft.FinishReason == FinishReason.Length);

    private static IEnumerable<TraceStep> DraftsOf(string text, RefinementTrace trace) => trace.Drafts.Where(draft => draft.Text == text);
}
