using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Aries;

/// <summary>All that a run's results depend on, as named texts: what <c>run.json</c> holds, and what a run that goes on must agree with.</summary>
internal sealed class RunIdentity
{
    private const int Format = 1;

    private readonly List<KeyValuePair<string, string>> _entries = [];

    public static RunIdentity Of(AriesLoopParts parts, AriesLoopOptions options, AriesLoopData data, RefinementTemplate template, string modelFingerprint)
    {
        RunIdentity identity = new();
        identity.Add("model", modelFingerprint);
        identity.Add("engine", parts.Loader);
        identity.Add("trainer", parts.Trainer.Describe());
        identity.Add("trainer.warm_up", data.WarmUpPairs.Count == 0 ? "none" : (parts.WarmUpTrainer ?? parts.Trainer).Describe());
        identity.Add("trainer.offline", data.OfflinePairs.Count == 0 ? "none" : (parts.OfflineTrainer ?? parts.Trainer).Describe());
        identity.Add("strategy", parts.Strategy);
        identity.Add("strategy.evaluation", parts.EvaluationStrategy ?? parts.Strategy);
        identity.Add("selector", parts.Selector);
        identity.Add("scorer", parts.Scorer);
        identity.Add("scorer.true", parts.TrueScorer);
        identity.Add("template", template.Text);
        identity.Add("rounds", options.RoundCount);
        identity.Add("prompts_per_round", options.PromptsPerRound);
        identity.Add("batch_size", options.BatchSize);
        identity.Add("reference", options.Reference);
        identity.Add("seed", options.Seed);
        identity.Add("correct_at", options.CorrectAt);
        identity.Add("evaluate_greedy", options.EvaluateGreedy);
        identity.Add("pair_form", options.PairForm);
        identity.Add("sampling", options.Sampling);
        identity.Add("sampling.evaluation", options.EvaluationSampling ?? options.Sampling);
        identity.Add("data.prompts", data.Prompts.Take(options.RoundCount * options.PromptsPerRound), HashPrompt);
        identity.Add("data.evaluation", data.EvaluationPrompts, HashPrompt);
        identity.Add("data.warm_up", data.WarmUpPairs, HashPair);
        identity.Add("data.offline", data.OfflinePairs, HashPair);
        return identity;
    }

    /// <summary>Reads <c>run.json</c>.</summary>
    public static RunIdentity Parse(byte[] content, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(content);
            int format = document.RootElement.GetProperty("format").GetInt32();
            if (format != Format)
            {
                throw new RunFolderException(path, $"\"{path}\" has the format {format}, but this version reads {Format} only. Go on with the version that made the run, or choose another folder.");
            }

            RunIdentity identity = new();
            foreach (JsonProperty property in document.RootElement.GetProperty("identity").EnumerateObject())
            {
                identity._entries.Add(new(property.Name, property.Value.GetString() ?? ""));
            }

            return identity;
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new RunFolderException(path, $"\"{path}\" is not the description of a run: {exception.Message} Restore the file, or choose another folder.", exception);
        }
    }

    /// <summary>Returns what differs between a folder's identity (this) and the loop's.</summary>
    public IReadOnlyList<RunDifference> Compare(RunIdentity actual)
    {
        Dictionary<string, string> mine = _entries.ToDictionary();
        Dictionary<string, string> others = actual._entries.ToDictionary();
        return
        [
            .. mine.Keys.Union(others.Keys)
                .Select(key => new RunDifference(key, mine.GetValueOrDefault(key), others.GetValueOrDefault(key)))
                .Where(difference => difference.Expected != difference.Actual),
        ];
    }

    public ReadOnlyMemory<byte> ToJson()
    {
        ArrayBufferWriter<byte> output = new();
        JsonWriterOptions options = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (Utf8JsonWriter writer = new(output, options))
        {
            writer.WriteStartObject();
            writer.WriteNumber("format", Format);
            writer.WriteStartObject("identity");
            foreach ((string key, string value) in _entries)
            {
                writer.WriteString(key, value);
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        output.Write("\n"u8);
        return output.WrittenMemory;
    }

    private void Add(string key, object? value) =>
        _entries.Add(new(key, value is null ? "none" : Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""));

    private void Add(string key, SamplingOptions sampling) => Add(key, string.Create(
        CultureInfo.InvariantCulture,
        $"temperature {sampling.Temperature}, top-p {sampling.TopP}, top-k {sampling.TopK}, min-p {sampling.MinP}, repetition penalty {sampling.RepetitionPenalty}, max tokens {sampling.MaxTokens}, stop [{string.Join(", ", sampling.StopSequences.Select(text => $"\"{text}\""))}]"));

    private void Add<T>(string key, IEnumerable<T> items, Action<IncrementalHash, T> hashItem)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        int count = 0;
        foreach (T item in items)
        {
            hashItem(hash, item);
            count++;
        }

        Add(key, count == 0 ? "none" : $"{count}, sha256 {Convert.ToHexStringLower(hash.GetHashAndReset())}");
    }

    private static void HashPrompt(IncrementalHash hash, Prompt prompt)
    {
        HashNumber(hash, prompt.Count);
        foreach (PromptTurn turn in prompt)
        {
            HashNumber(hash, (long)turn.Role);
            HashText(hash, turn.Text);
        }
    }

    private static void HashPair(IncrementalHash hash, PreferencePair pair)
    {
        HashPrompt(hash, pair.Prompt);
        HashText(hash, pair.Chosen);
        HashText(hash, pair.Rejected);
        HashNumber(hash, BitConverter.DoubleToInt64Bits(pair.ChosenProbability));
    }

    private static void HashText(IncrementalHash hash, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        HashNumber(hash, bytes.Length);
        hash.AppendData(bytes);
    }

    private static void HashNumber(IncrementalHash hash, long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        hash.AppendData(bytes);
    }
}
