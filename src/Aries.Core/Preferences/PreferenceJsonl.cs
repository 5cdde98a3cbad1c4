using System.Buffers;
using System.Text.Json;

namespace Aries;

/// <summary>Reads and writes preference pairs as the JSONL that TRL and other trainers read: <c>prompt</c>, <c>chosen</c>, <c>rejected</c>, one pair a line.</summary>
/// <remarks>
/// <para>UTF-8, split on \n only. Equal pairs give equal bytes. A lone surrogate, which UTF-8 cannot hold, is written as U+FFFD.</para>
/// <para>
/// Reading takes each of TRL's preference forms (<see href="https://huggingface.co/docs/trl/dataset_formats"/>): plain texts, chat lists, and chat lists that
/// repeat the prompt before the answer, with or without a <c>prompt</c> of its own. Other columns are ignored.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public static class PreferenceJsonl
{
    private static readonly PreferenceJsonlOptions DefaultOptions = new();

    /// <summary>Writes one pair as a line, its \n included.</summary>
    /// <param name="output">Receives the bytes.</param>
    /// <param name="pair">The pair.</param>
    /// <param name="options">The form; null for the defaults.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range, or the form is plain and the prompt has several turns; nothing was written.</exception>
    public static void WriteLine(IBufferWriter<byte> output, PreferencePair pair, PreferenceJsonlOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(pair);
        JsonlWriter.WriteLine(output, pair, Writer(options));
    }

    /// <summary>Writes pairs to a file that appears whole or not at all; one that is there is replaced.</summary>
    /// <param name="path">The file; it is first written beside itself with the ending <c>.partial</c>.</param>
    /// <param name="pairs">The pairs.</param>
    /// <param name="options">The form; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at once a pair.</param>
    /// <exception cref="ArgumentException">An argument is null or outside its range, or the form is plain and a prompt has several turns.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the file is as it was.</exception>
    public static Task WriteAsync(
        string path, IEnumerable<PreferencePair> pairs, PreferenceJsonlOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentNullException.ThrowIfNull(pairs);
        return JsonlWriter.WriteFileAsync(path, pairs.ToAsyncEnumerable(), Writer(options), cancellationToken);
    }

    /// <summary>Writes pairs to a stream, which stays open.</summary>
    /// <param name="stream">Receives the bytes.</param>
    /// <param name="pairs">The pairs, written as they come.</param>
    /// <param name="options">The form; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at once a pair.</param>
    /// <exception cref="ArgumentException">An argument is null or outside its range, or the form is plain and a prompt has several turns.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the stream holds whole lines.</exception>
    public static Task WriteAsync(
        Stream stream, IAsyncEnumerable<PreferencePair> pairs, PreferenceJsonlOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(pairs);
        return JsonlWriter.WriteAsync(stream, pairs, Writer(options), cancellationToken);
    }

    /// <summary>Parses one line.</summary>
    /// <param name="line">The line's bytes, with or without its \n.</param>
    /// <param name="source">The file's path or a name, for the error.</param>
    /// <param name="lineNumber">The number of the line, from 1, for the error.</param>
    /// <exception cref="ArgumentNullException"><paramref name="source"/> is null.</exception>
    /// <exception cref="JsonlFormatException">The line is not a pair.</exception>
    public static PreferencePair ParseLine(ReadOnlyMemory<byte> line, string source, long lineNumber)
    {
        ArgumentNullException.ThrowIfNull(source);
        return JsonlReader.Parse(line, source, lineNumber, Read);
    }

    /// <summary>Reads the pairs of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Looked at once a line.</param>
    /// <returns>The pairs, in the file's order, read as they are asked for.</returns>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="JsonlFormatException">A line is not a pair; the lines before it were given.</exception>
    public static IAsyncEnumerable<PreferencePair> ReadAsync(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return JsonlReader.ReadFileAsync(path, Read, cancellationToken);
    }

    /// <summary>Reads the pairs of a stream, which stays open.</summary>
    /// <param name="stream">The bytes.</param>
    /// <param name="source">A name for errors.</param>
    /// <param name="cancellationToken">Looked at once a line.</param>
    /// <returns>The pairs, in order, read as they are asked for.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="JsonlFormatException">A line is not a pair; the lines before it were given.</exception>
    public static IAsyncEnumerable<PreferencePair> ReadAsync(Stream stream, string source, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(source);
        return JsonlReader.ReadAsync(stream, source, Read, cancellationToken);
    }

    private static Action<Utf8JsonWriter, PreferencePair> Writer(PreferenceJsonlOptions? options)
    {
        options?.Validate();
        options ??= DefaultOptions;
        return (writer, pair) => Write(writer, pair, options);
    }

    private static void Write(Utf8JsonWriter writer, PreferencePair pair, PreferenceJsonlOptions options)
    {
        // Checked before the first byte: an error leaves no torn line behind.
        if (options.Form == PreferenceJsonlForm.Plain && !PromptJson.IsPlain(pair.Prompt))
        {
            throw new ArgumentException(
                $"The plain form holds prompts of one user turn, but this one has {pair.Prompt.Count} turns. Write with {nameof(PreferenceJsonlForm)}.{nameof(PreferenceJsonlForm.Chat)}.",
                nameof(pair));
        }

        writer.WriteStartObject();
        if (options.Form == PreferenceJsonlForm.Chat)
        {
            writer.WriteStartArray("prompt");
            PromptJson.WriteTurns(writer, pair.Prompt);
            writer.WriteEndArray();
            WriteAnswer(writer, "chosen", pair.Chosen);
            WriteAnswer(writer, "rejected", pair.Rejected);
        }
        else
        {
            writer.WriteString("prompt", pair.Prompt.Question);
            writer.WriteString("chosen", pair.Chosen);
            writer.WriteString("rejected", pair.Rejected);
        }

        if (options.IncludeDetails)
        {
            WriteNumberOrNull(writer, "score_chosen", pair.ChosenScore);
            WriteNumberOrNull(writer, "score_rejected", pair.RejectedScore);
            writer.WriteNumber("chosen_probability", pair.ChosenProbability);
            writer.WriteString("trace_id", pair.TraceId);
        }

        writer.WriteEndObject();
    }

    // Null rather than absent: readers that infer a table's columns need every line to have the same ones.
    private static void WriteNumberOrNull(Utf8JsonWriter writer, string name, double? value)
    {
        if (value is { } number)
        {
            writer.WriteNumber(name, number);
        }
        else
        {
            writer.WriteNull(name);
        }
    }

    private static void WriteAnswer(Utf8JsonWriter writer, string name, string text)
    {
        writer.WriteStartArray(name);
        PromptJson.WriteTurns(writer, [new PromptTurn(PromptRole.Assistant, text)]);
        writer.WriteEndArray();
    }

    private static PreferencePair Read(JsonlObject line)
    {
        (string chosen, List<PromptTurn> chosenContext) = ReadAnswer(line, "chosen");
        (string rejected, List<PromptTurn> rejectedContext) = ReadAnswer(line, "rejected");
        double probability = line.FindNumber("chosen_probability") ?? 1;
        return new PreferencePair
        {
            Prompt = ReadPrompt(line, chosenContext, rejectedContext),
            Chosen = chosen,
            Rejected = rejected,
            ChosenScore = line.FindNumber("score_chosen"),
            RejectedScore = line.FindNumber("score_rejected"),
            ChosenProbability = probability is > 0 and <= 1
                ? probability
                : throw line.Error($"The key \"chosen_probability\" holds {probability}, but it must be greater than 0 and at most 1."),
            TraceId = line.FindString("trace_id"),
        };
    }

    private static (string Text, List<PromptTurn> Context) ReadAnswer(JsonlObject line, string name)
    {
        JsonElement value = line.Need(name);
        if (value.ValueKind == JsonValueKind.String)
        {
            return (value.GetString()!, []);
        }

        List<PromptTurn> turns = PromptJson.ReadTurns(line, name, value);
        return turns.Count > 0 && turns[^1].Role == PromptRole.Assistant
            ? (turns[^1].Text, turns[..^1])
            : throw line.Error($"The key \"{name}\" must end with a turn of the assistant.");
    }

    private static Prompt ReadPrompt(JsonlObject line, List<PromptTurn> chosenContext, List<PromptTurn> rejectedContext)
    {
        if (line.Find("prompt") is { } value)
        {
            Prompt prompt = PromptJson.Read(line, "prompt", value);
            return IsEmptyOrEqual(chosenContext, prompt) && IsEmptyOrEqual(rejectedContext, prompt)
                ? prompt
                : throw line.Error("The turns before the answer differ from \"prompt\".");
        }

        if (!chosenContext.SequenceEqual(rejectedContext))
        {
            throw line.Error("There is no \"prompt\", and the turns before the answers of \"chosen\" and \"rejected\" differ.");
        }

        return chosenContext.Count > 0 && chosenContext[^1].Role == PromptRole.User
            ? new Prompt(chosenContext)
            : throw line.Error("The key \"prompt\" is missing.");
    }

    private static bool IsEmptyOrEqual(List<PromptTurn> context, Prompt prompt) => context.Count == 0 || context.SequenceEqual(prompt);
}
