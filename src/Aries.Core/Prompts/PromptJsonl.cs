using System.Text.Json;

namespace Aries;

/// <summary>Reads prompts from JSONL: <c>{"prompt": text or turns}</c>, or GSM8K's <c>{"question", "answer"}</c>; <c>answer</c> and <c>id</c> may stand in both.</summary>
/// <remarks>UTF-8, one prompt a line, split on \n only. Other keys are ignored.</remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public static class PromptJsonl
{
    /// <summary>Reads the prompts of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Looked at once a line.</param>
    /// <returns>The prompts, in the file's order, read as they are asked for.</returns>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="JsonlFormatException">A line holds no prompt, or a blank one; the lines before it were given.</exception>
    public static IAsyncEnumerable<PromptRecord> ReadAsync(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return JsonlReader.ReadFileAsync(path, Read, cancellationToken);
    }

    /// <summary>Reads the prompts of a stream, which stays open.</summary>
    /// <param name="stream">The bytes.</param>
    /// <param name="source">A name for errors.</param>
    /// <param name="cancellationToken">Looked at once a line.</param>
    /// <returns>The prompts, in order, read as they are asked for.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="JsonlFormatException">A line holds no prompt, or a blank one; the lines before it were given.</exception>
    public static IAsyncEnumerable<PromptRecord> ReadAsync(Stream stream, string source, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(source);
        return JsonlReader.ReadAsync(stream, source, Read, cancellationToken);
    }

    private static PromptRecord Read(JsonlObject line)
    {
        string key = (line.Find("prompt"), line.Find("question")) switch
        {
            ({ }, { }) => throw line.Error("The line holds both \"prompt\" and \"question\"."),
            ({ }, null) => "prompt",
            (null, { }) => "question",
            _ => throw line.Error("The line holds neither \"prompt\" nor \"question\"."),
        };
        Prompt prompt = PromptJson.Read(line, key);
        return prompt.IsBlank
            ? throw line.Error($"The key \"{key}\" is blank.")
            : new PromptRecord(prompt, line.FindString("answer"), ReadId(line));
    }

    private static string? ReadId(JsonlObject line) => line.Find("id") switch
    {
        { ValueKind: JsonValueKind.Number } number => number.GetRawText(),
        _ => line.FindString("id"),
    };
}
