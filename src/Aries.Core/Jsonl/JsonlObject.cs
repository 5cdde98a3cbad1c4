using System.Text.Json;

namespace Aries;

/// <summary>A JSON object within a line, with where it came from: what is missing or of another kind is a <see cref="JsonlFormatException"/>.</summary>
internal readonly struct JsonlObject(JsonElement element, string source, long lineNumber)
{
    public JsonlFormatException Error(string reason) => new(source, lineNumber, reason);

    public JsonElement? Find(string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public JsonElement Need(string name) => Find(name) ?? throw Error($"The key \"{name}\" is missing or null.");

    public string GetString(string name) => FindString(name) ?? throw Error($"The key \"{name}\" is missing or null.");

    public string? FindString(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw Error($"The key \"{name}\" holds a JSON {value.ValueKind}, but text is needed."),
    };

    public double? FindNumber(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } value when value.TryGetDouble(out double number) && double.IsFinite(number) => number,
        { } value => throw Error($"The key \"{name}\" holds {Shorten(value.GetRawText())}, but a finite number is needed."),
    };

    public long FindCount(string name) => Find(name) switch
    {
        null => 0,
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt64(out long number) && number >= 0 => number,
        { } value => throw Error($"The key \"{name}\" holds {Shorten(value.GetRawText())}, but a whole number of 0 or more is needed."),
    };

    /// <summary>Returns the objects of a list.</summary>
    public List<JsonlObject> GetObjects(string name, JsonElement list)
    {
        if (list.ValueKind != JsonValueKind.Array)
        {
            throw Error($"The key \"{name}\" holds a JSON {list.ValueKind}, but a list is needed.");
        }

        List<JsonlObject> items = new(list.GetArrayLength());
        foreach (JsonElement item in list.EnumerateArray())
        {
            items.Add(GetObject(name, item));
        }

        return items;
    }

    public JsonlObject GetObject(string name, JsonElement value) => value.ValueKind == JsonValueKind.Object
        ? new JsonlObject(value, source, lineNumber)
        : throw Error($"The key \"{name}\" holds a JSON {value.ValueKind} where an object is needed.");

    private static string Shorten(string text) => text.Length <= 40 ? text : string.Concat(text.AsSpan(0, 40), "…");
}
