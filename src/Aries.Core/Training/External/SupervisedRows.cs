using System.Text.Json;

namespace Aries;

/// <summary>Writes supervised examples as the rows that TRL calls prompt-completion: <c>prompt</c> and <c>completion</c>, texts or chat lists.</summary>
/// <remarks><see href="https://huggingface.co/docs/trl/dataset_formats"/>.</remarks>
internal static class SupervisedRows
{
    public static Task WriteAsync(
        string path, IEnumerable<SupervisedExample> examples, RefinementTemplate template, PreferenceJsonlForm form, CancellationToken cancellationToken) =>
        JsonlWriter.WriteFileAsync(path, examples.ToAsyncEnumerable(), (writer, example) => Write(writer, example, template, form), cancellationToken);

    private static void Write(Utf8JsonWriter writer, SupervisedExample example, RefinementTemplate template, PreferenceJsonlForm form)
    {
        Prompt prompt = example.PreviousResponse is { } previous ? template.Apply(example.Prompt, previous) : example.Prompt;
        if (form == PreferenceJsonlForm.Plain && !PromptJson.IsPlain(prompt))
        {
            throw new ArgumentException(
                $"The plain form holds prompts of one user turn, but this one has {prompt.Count} turns. Write with {nameof(PreferenceJsonlForm)}.{nameof(PreferenceJsonlForm.Chat)}.", nameof(example));
        }

        writer.WriteStartObject();
        if (form == PreferenceJsonlForm.Plain)
        {
            writer.WriteString("prompt", prompt.Question);
            writer.WriteString("completion", example.Response);
        }
        else
        {
            writer.WriteStartArray("prompt");
            PromptJson.WriteTurns(writer, prompt);
            writer.WriteEndArray();
            writer.WriteStartArray("completion");
            PromptJson.WriteTurns(writer, [new PromptTurn(PromptRole.Assistant, example.Response)]);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }
}
