using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Aries;

/// <summary>The names of <see cref="ExternalCommand"/> and what they stand for in one training.</summary>
internal sealed partial class CommandTexts(IReadOnlyDictionary<string, string> values, long seed)
{
    public const string SeedName = "seed";

    /// <summary>Returns the names that a command and its settings hold.</summary>
    public static HashSet<string> NamesOf(ExternalCommand command, JsonObject settings)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (string argument in command.Arguments.Concat(command.ResumeArguments))
        {
            Add(names, argument);
        }

        // Settings that no argument leads to are never read.
        if (names.Contains("settings"))
        {
            AddTexts(names, settings);
        }

        return names;
    }

    // In one pass: a path that looks like a name stays a path.
    public string Fill(string text) => Name().Replace(text, match => values.TryGetValue(match.Groups[1].Value, out string? value) ? value : match.Value);

    /// <summary>Returns the settings with every text filled; a text that is nothing but the seed's name becomes a number.</summary>
    public JsonNode? Fill(JsonNode? node) => node switch
    {
        JsonObject item => new JsonObject(item.Select(member => KeyValuePair.Create(member.Key, Fill(member.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Fill)]),
        JsonValue value when value.TryGetValue(out string? text) => text == $"{{{SeedName}}}" ? JsonValue.Create(seed) : JsonValue.Create(Fill(text)),
        _ => node?.DeepClone(),
    };

    private static void Add(HashSet<string> names, string text) => names.UnionWith(Name().Matches(text).Select(match => match.Groups[1].Value));

    private static void AddTexts(HashSet<string> names, JsonNode? node)
    {
        switch (node)
        {
            case JsonObject item:
                foreach ((_, JsonNode? member) in item)
                {
                    AddTexts(names, member);
                }

                break;
            case JsonArray list:
                foreach (JsonNode? member in list)
                {
                    AddTexts(names, member);
                }

                break;
            case JsonValue value when value.TryGetValue(out string? text):
                Add(names, text);
                break;
        }
    }

    [GeneratedRegex(@"\{(settings|data|data-folder|model|adapter|reference|reference-adapter|output|work|seed)\}")]
    private static partial Regex Name();
}
