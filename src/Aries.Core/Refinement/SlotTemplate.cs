using System.Text;

namespace Aries;

/// <summary>A text with named slots, each exactly once. What fills a slot is never searched for slots.</summary>
internal sealed class SlotTemplate
{
    private readonly string _text;
    private readonly (int Index, int Slot)[] _positions;
    private readonly string[] _slots;

    /// <exception cref="ArgumentException">The text lacks a slot or holds one twice.</exception>
    public SlotTemplate(string text, string parameterName, params string[] slots)
    {
        ArgumentNullException.ThrowIfNull(text, parameterName);
        (_text, _slots) = (text, slots);
        _positions = [.. slots.Select((slot, index) => (Find(text, slot, parameterName), index)).Order()];
    }

    /// <summary>Fills the slots, in the order in which the constructor got them.</summary>
    public string Fill(params ReadOnlySpan<string> values)
    {
        StringBuilder filled = new(_text.Length);
        int end = 0;
        foreach ((int index, int slot) in _positions)
        {
            filled.Append(_text, end, index - end).Append(values[slot]);
            end = index + _slots[slot].Length;
        }

        return filled.Append(_text, end, _text.Length - end).ToString();
    }

    private static int Find(string text, string slot, string parameterName)
    {
        int index = text.IndexOf(slot, StringComparison.Ordinal);
        if (index < 0 || text.IndexOf(slot, index + slot.Length, StringComparison.Ordinal) >= 0)
        {
            throw new ArgumentException(
                $"{parameterName} must hold the slot {slot} exactly once, but holds it {(index < 0 ? "not at all" : "more than once")}: \"{text}\".", parameterName);
        }

        return index;
    }
}
