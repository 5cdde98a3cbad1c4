using System.Text.RegularExpressions;

namespace Aries;

/// <summary>Reads the number out of an answer to a GSM8K question, by the rules of lm-evaluation-harness (task gsm8k, version 3).</summary>
/// <remarks>
/// <para>Cobbe et al. 2021, <see href="https://arxiv.org/abs/2110.14168"/>.</para>
/// <para>
/// Strict: the first match of <c>#### (\-?[0-9\.\,]+)</c>. Flexible: the last match of <c>(-?[$0-9.,]{2,})|(-?[0-9]+)</c>. Both drop <c>,</c>, <c>$</c> and
/// one <c>.</c> at the end, so that equal numbers written alike are equal texts; 5 and 5.0 are not.
/// </para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public sealed partial class Gsm8kAnswerExtractor : IAnswerExtractor
{
    private readonly bool _isStrict;

    private Gsm8kAnswerExtractor(bool isStrict) => _isStrict = isStrict;

    /// <summary>Gets the strict rule: the number after the first <c>####</c>.</summary>
    public static Gsm8kAnswerExtractor Strict { get; } = new(isStrict: true);

    /// <summary>Gets the flexible rule: the last number.</summary>
    public static Gsm8kAnswerExtractor Flexible { get; } = new(isStrict: false);

    /// <inheritdoc />
    public string? Extract(string response)
    {
        ArgumentNullException.ThrowIfNull(response);
        if (_isStrict)
        {
            return StrictPattern().Match(response) is { Success: true } match ? Normalize(match.Groups[1].Value) : null;
        }

        // Left to right, as the rule was defined: a search from the right may cut a run of digits elsewhere.
        string? last = null;
        foreach (ValueMatch match in FlexiblePattern().EnumerateMatches(response))
        {
            last = response.Substring(match.Index, match.Length);
        }

        return last is null ? null : Normalize(last);
    }

    /// <summary>Returns the name.</summary>
    public override string ToString() => $"{nameof(Gsm8kAnswerExtractor)}.{(_isStrict ? nameof(Strict) : nameof(Flexible))}";

    private static string Normalize(string number)
    {
        string plain = number.Replace(",", "", StringComparison.Ordinal).Replace("$", "", StringComparison.Ordinal);
        return plain.EndsWith('.') ? plain[..^1] : plain;
    }

    [GeneratedRegex(@"#### (\-?[0-9\.\,]+)", RegexOptions.CultureInvariant)]
    private static partial Regex StrictPattern();

    [GeneratedRegex(@"(-?[$0-9.,]{2,})|(-?[0-9]+)", RegexOptions.CultureInvariant)]
    private static partial Regex FlexiblePattern();
}
