using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Aries.Extensions.AI;

/// <summary>Texts to be judged, laid out as data: each stands between two lines with a mark that no text holds.</summary>
/// <remarks>
/// The mark is derived from the texts, so a text cannot hold it but by finding a fixed point of SHA-256, and equal judgements are asked in equal words, which caches find. The judge's verdict
/// carries the mark, too: a verdict that a text brings along is none.
/// </remarks>
internal sealed class JudgedText
{
    private readonly StringBuilder _layout = new();

    public JudgedText(params IReadOnlyList<(string Name, string Text)> parts)
    {
        Mark = FindMark(parts);
        foreach ((string name, string text) in parts)
        {
            _layout.Append(CultureInfo.InvariantCulture, $"[begin {name} {Mark}]\n{text}\n[end {name} {Mark}]\n");
        }
    }

    /// <summary>Gets the mark: 12 hexadecimal digits.</summary>
    public string Mark { get; }

    /// <summary>Returns the turns of a conversation as parts.</summary>
    public static IEnumerable<(string Name, string Text)> PartsOf(Prompt prompt) => prompt.Select(turn => (turn.Role switch
    {
        PromptRole.System => "instructions",
        PromptRole.Assistant => "earlier answer",
        _ => "question",
    }, turn.Text));

    /// <summary>Returns the texts between their marks.</summary>
    public override string ToString() => _layout.ToString();

    private static string FindMark(IReadOnlyList<(string Name, string Text)> parts)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string name, string text) in parts)
        {
            // The length before each text: no two lists of texts are hashed as the same bytes.
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{name}:{text.Length}:{text}")));
        }

        while (true)
        {
            string mark = Convert.ToHexStringLower(hash.GetCurrentHash())[..12];
            if (!parts.Any(part => part.Text.Contains(mark, StringComparison.OrdinalIgnoreCase)))
            {
                return mark;
            }

            hash.AppendData("again"u8);
        }
    }
}
