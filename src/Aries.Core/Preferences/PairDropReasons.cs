namespace Aries;

/// <summary>The usual reasons for dropping a pair, as reports name them.</summary>
public static class PairDropReasons
{
    /// <summary>The chain failed, or has fewer than two drafts.</summary>
    public const string TooFewDrafts = "too-few-drafts";

    /// <summary>Fewer than two drafts have a score.</summary>
    public const string NotScored = "not-scored";

    /// <summary>The scores are equal, or differ by less than the least margin.</summary>
    public const string Margin = "margin";

    /// <summary>Both texts are equal.</summary>
    public const string Equal = "equal";

    /// <summary>Both texts are nearly equal.</summary>
    public const string NearEqual = "near-equal";

    /// <summary>A text is longer than the limit.</summary>
    public const string TooLong = "too-long";

    /// <summary>A text is empty or white space.</summary>
    public const string Empty = "empty";

    /// <summary>The scores rank the responses against the rule.</summary>
    public const string Disagreement = "disagreement";

    /// <summary>A text was cut by the token limit.</summary>
    public const string Truncated = "truncated";
}
