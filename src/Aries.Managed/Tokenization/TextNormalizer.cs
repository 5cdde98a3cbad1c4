using System.Text;
using System.Text.RegularExpressions;

namespace Aries.Managed;

/// <summary>A step that rewrites text before it is split: one entry of <c>normalizer</c> in <c>tokenizer.json</c>.</summary>
internal abstract class TextNormalizer
{
    /// <summary>Rewrites a text.</summary>
    /// <param name="text">The text; not empty.</param>
    /// <param name="isContinuation">Whether the text goes on where another ended.</param>
    public abstract string Apply(string text, bool isContinuation);
}

/// <summary>Puts a text before every text that begins one.</summary>
internal sealed class PrependNormalizer(string prefix) : TextNormalizer
{
    public override string Apply(string text, bool isContinuation) => isContinuation ? text : prefix + text;
}

/// <summary>Replaces a text wherever it occurs.</summary>
internal sealed class ReplaceNormalizer(string pattern, string content) : TextNormalizer
{
    public override string Apply(string text, bool isContinuation) => text.Replace(pattern, content, StringComparison.Ordinal);
}

/// <summary>Replaces what a pattern matches.</summary>
internal sealed class ReplacePatternNormalizer(Regex pattern, string content) : TextNormalizer
{
    public override string Apply(string text, bool isContinuation) => pattern.Replace(text, _ => content);
}

/// <summary>Applies a Unicode normalisation form.</summary>
/// <remarks>A process that runs with <c>InvariantGlobalization</c> has no Unicode tables for this: there text is taken as it is.</remarks>
internal sealed class UnicodeNormalizer(NormalizationForm form) : TextNormalizer
{
    public override string Apply(string text, bool isContinuation)
    {
        try
        {
            return text.Normalize(form);
        }
        catch (ArgumentException)
        {
            // A lone surrogate, which becomes U+FFFD in UTF-8 anyway.
            return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)).Normalize(form);
        }
    }
}
