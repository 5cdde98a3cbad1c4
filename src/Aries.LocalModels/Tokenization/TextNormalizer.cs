using System.Text.RegularExpressions;

namespace Aries;

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

/// <summary>Applies the Unicode form NFC or NFD.</summary>
internal sealed class CanonicalNormalizer(bool composes) : TextNormalizer
{
    public override string Apply(string text, bool isContinuation) => composes ? CanonicalForm.Compose(text) : CanonicalForm.Decompose(text);
}
