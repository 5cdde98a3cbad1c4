namespace Aries;

/// <summary>Which pairs <see cref="FilteredSelection"/> drops.</summary>
/// <threadsafety>Not synchronised: a component copies the options that it is given.</threadsafety>
public sealed record PairFilterOptions
{
    /// <summary>Gets or sets whether pairs with an empty or white text are dropped.</summary>
    /// <value>The default is true.</value>
    public bool DropEmpty { get; set; } = true;

    /// <summary>Gets or sets whether pairs of equal texts are dropped.</summary>
    /// <value>The default is true.</value>
    public bool DropEqual { get; set; } = true;

    /// <summary>Gets or sets whether pairs with a text that the token limit cut are dropped.</summary>
    /// <value>The default is false.</value>
    public bool DropTruncated { get; set; }

    /// <summary>Gets or sets the least difference of the scores, in the scorer's unit.</summary>
    /// <value>Finite and greater than 0. The default is null: not looked at. A pair without both scores is dropped as not scored.</value>
    public double? MinimumMargin { get; set; }

    /// <summary>Gets or sets the least edit distance of the texts, as a share of the longer one's length; a pair below it is nearly equal.</summary>
    /// <value>
    /// Greater than 0, at most 1. The default is null: not looked at. Insertions, deletions and replacements of UTF-16 units count 1 each. The cost grows with the square of the edits looked for,
    /// so texts that differ by 8192 edits or more count as different enough.
    /// </value>
    public double? MinimumDistance { get; set; }

    /// <summary>Gets or sets the largest length of a text, in UTF-16 units.</summary>
    /// <value>1 or greater. The default is null: not looked at.</value>
    public int? MaxCharacters { get; set; }

    /// <summary>Gets or sets the largest length of a text, in tokens as the policy counted them, its end token included.</summary>
    /// <value>1 or greater. The default is null: not looked at. A policy that reports no usage is a <see cref="NotSupportedException"/>.</value>
    public int? MaxTokens { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it and the range.</exception>
    public void Validate()
    {
        if (MinimumMargin is { } margin && !(margin > 0 && double.IsFinite(margin)))
        {
            throw new ArgumentOutOfRangeException(nameof(MinimumMargin), margin, "MinimumMargin must be finite and greater than 0; null switches it off.");
        }

        if (MinimumDistance is { } distance && !(distance > 0 && distance <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(MinimumDistance), distance, "MinimumDistance must be greater than 0 and at most 1; null switches it off.");
        }

        if (MaxCharacters < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxCharacters), MaxCharacters, "MaxCharacters must be 1 or greater; null switches it off.");
        }

        if (MaxTokens < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxTokens), MaxTokens, "MaxTokens must be 1 or greater; null switches it off.");
        }
    }
}
