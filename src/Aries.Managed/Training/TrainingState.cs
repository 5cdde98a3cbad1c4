using System.Globalization;
using System.Text.Json;

namespace Aries.Managed;

/// <summary>The folder from which a stopped training goes on: <c>step-N</c> with weights, both moments, and <c>state.json</c>; and <c>reference.json</c>.</summary>
/// <remarks>A step's folder appears whole or not at all; the one before it is deleted after that.</remarks>
internal sealed class TrainingState(string folder, IReadOnlyDictionary<string, string> identity)
{
    private const string StepPrefix = "step-";
    private const string StateFile = "state.json";
    private const string WeightsFile = "weights.safetensors";
    private const string FirstMomentsFile = "first_moments.safetensors";
    private const string SecondMomentsFile = "second_moments.safetensors";

    /// <summary>Writes the state after a step.</summary>
    /// <exception cref="TrainingStateException">The folder cannot be written; the state before is still there.</exception>
    public void Save(TrainedModel model, AdamW optimizer, long tokenCount, MetricMeans means)
    {
        string path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{StepPrefix}{optimizer.StepCount:D9}"));
        try
        {
            Directory.CreateDirectory(folder);
            AtomicOutput.WriteFolder(path, aside =>
            {
                WriteTensors(Path.Combine(aside, WeightsFile), model.Trained());
                WriteTensors(Path.Combine(aside, FirstMomentsFile), optimizer.FirstMoments);
                WriteTensors(Path.Combine(aside, SecondMomentsFile), optimizer.SecondMoments);
                AtomicOutput.WriteFile(Path.Combine(aside, StateFile), stream => WriteState(stream, optimizer.StepCount, tokenCount, means));
            });
            DeleteAllBut(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new TrainingStateException(path, $"the training's state could not be written: {exception.Message}", exception);
        }
    }

    /// <summary>Brings a model and its optimiser to the saved step.</summary>
    /// <returns>The tokens processed so far, or null where no state is saved.</returns>
    /// <exception cref="TrainingStateException">The state is of another training, or damaged.</exception>
    public long? Restore(TrainedModel model, AdamW optimizer, MetricMeans means)
    {
        if (Latest() is not { } path)
        {
            return null;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(path, StateFile)));
            JsonElement root = document.RootElement;
            Dictionary<string, string> saved = root.GetProperty("identity").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetString() ?? "");
            List<string> differences = TrainingIdentity.Differences(saved, identity);
            if (differences.Count > 0)
            {
                throw new TrainingStateException(path, differences);
            }

            int step = root.GetProperty("step").GetInt32();
            long tokens = root.GetProperty("num_tokens").GetInt64();
            means.Read(root.GetProperty("metrics"));
            ReadTensors(Path.Combine(path, WeightsFile), model.Trained());
            ReadTensors(Path.Combine(path, FirstMomentsFile), optimizer.FirstMoments);
            ReadTensors(Path.Combine(path, SecondMomentsFile), optimizer.SecondMoments);
            optimizer.StepCount = step;
            return tokens;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException
            or KeyNotFoundException or FormatException or ArgumentException or ModelFormatException)
        {
            throw new TrainingStateException(path, $"the saved state cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Deletes the steps' folders: the training is finished. Reference scores stay, for another training against the same reference.</summary>
    public void Clear()
    {
        try
        {
            DeleteAllBut(null);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new TrainingStateException(folder, $"the finished training's state could not be deleted: {exception.Message}", exception);
        }
    }

    private string? Latest() => Directory.Exists(folder)
        ? Directory.EnumerateDirectories(folder, $"{StepPrefix}*")
            .Where(path => Path.GetFileName(path)[StepPrefix.Length..].All(char.IsAsciiDigit))
            .Order(StringComparer.Ordinal)
            .LastOrDefault()
        : null;

    private void DeleteAllBut(string? path)
    {
        if (!Directory.Exists(folder))
        {
            return;
        }

        foreach (string other in Directory.GetDirectories(folder, $"{StepPrefix}*").Where(other => other != path))
        {
            Directory.Delete(other, recursive: true);
        }
    }

    private void WriteState(Stream stream, int step, long tokenCount, MetricMeans means)
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteNumber("step", step);
        json.WriteNumber("num_tokens", tokenCount);
        json.WriteStartObject("identity");
        foreach ((string name, string value) in identity)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WritePropertyName("metrics");
        means.Write(json);
        json.WriteEndObject();
    }

    private static void WriteTensors(string path, IEnumerable<Parameter> parameters) =>
        SafetensorsWriter.Write(path, parameters.Select(parameter => SafetensorsTensor.Of(parameter)));

    private static void ReadTensors(string path, IEnumerable<Parameter> parameters)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach (Parameter parameter in parameters)
        {
            file.ReadSingles(parameter.Name, parameter.Values);
        }
    }
}
