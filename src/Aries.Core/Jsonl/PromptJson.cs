using System.Text.Json;

namespace Aries;

/// <summary>Prompts in JSON: text for one user turn, or a list of turns <c>{"role", "content"}</c>.</summary>
internal static class PromptJson
{
    public static void Write(Utf8JsonWriter writer, string name, Prompt prompt)
    {
        if (IsPlain(prompt))
        {
            writer.WriteString(name, prompt.Question);
        }
        else
        {
            writer.WriteStartArray(name);
            WriteTurns(writer, prompt);
            writer.WriteEndArray();
        }
    }

    public static bool IsPlain(Prompt prompt) => prompt.Count == 1;

    public static void WriteTurns(Utf8JsonWriter writer, IEnumerable<PromptTurn> turns)
    {
        foreach (PromptTurn turn in turns)
        {
            writer.WriteStartObject();
            writer.WriteString("role", turn.Role switch
            {
                PromptRole.System => "system",
                PromptRole.User => "user",
                _ => "assistant",
            });
            writer.WriteString("content", turn.Text);
            writer.WriteEndObject();
        }
    }

    public static Prompt Read(JsonlObject line, string name) => Read(line, name, line.Need(name));

    public static Prompt Read(JsonlObject line, string name, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            return new Prompt(value.GetString()!);
        }

        List<PromptTurn> turns = ReadTurns(line, name, value);
        return turns.Count > 0 && turns[^1].Role == PromptRole.User
            ? new Prompt(turns)
            : throw line.Error($"The key \"{name}\" must end with a turn of the user.");
    }

    public static List<PromptTurn> ReadTurns(JsonlObject line, string name, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            throw line.Error($"The key \"{name}\" holds a JSON {value.ValueKind}, but text or a list of turns is needed.");
        }

        List<PromptTurn> turns = [];
        foreach (JsonlObject turn in line.GetObjects(name, value))
        {
            PromptRole role = turn.GetString("role") switch
            {
                "system" => PromptRole.System,
                "user" => PromptRole.User,
                "assistant" => PromptRole.Assistant,
                string other => throw line.Error($"A turn of \"{name}\" has the role \"{other}\"; system, user and assistant are known."),
            };
            turns.Add(new PromptTurn(role, turn.GetString("content")));
        }

        return turns;
    }
}
