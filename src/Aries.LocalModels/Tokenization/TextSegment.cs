namespace Aries;

/// <summary>A part of a rendered prompt: text of a turn, in which no special token is ever found, or text of a template, in which they are.</summary>
/// <param name="Text">The text; may be empty.</param>
/// <param name="IsTrusted">Whether special tokens are looked for.</param>
internal readonly record struct TextSegment(string Text, bool IsTrusted = false)
{
    public static TextSegment Trusted(string text) => new(text, IsTrusted: true);
}
