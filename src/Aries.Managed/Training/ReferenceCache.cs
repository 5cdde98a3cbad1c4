using System.Text.Json;
using Aries.Preferences;

namespace Aries.Managed;

/// <summary>Keeps the reference's log-probabilities in a file, with a fingerprint of all that they depend on: the reference's files and the rows' tokens.</summary>
internal static class ReferenceCache
{
    private const string FileName = "reference.json";

    /// <summary>Reads the scores, or null where there are none of that fingerprint.</summary>
    public static ReferenceScores? Load(string folder, string fingerprint, int rowCount)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.GetProperty("fingerprint").GetString() != fingerprint)
            {
                return null;
            }

            double[] values = [.. document.RootElement.GetProperty("logps").EnumerateArray().Select(value => value.GetDouble())];
            return values.Length == PairBatch.SequenceCount * rowCount ? new ReferenceScores(values, rowCount) : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new TrainingStateException(path, $"the saved reference scores cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Writes the scores, whole or not at all.</summary>
    public static void Save(string folder, string fingerprint, ReferenceScores scores)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            Directory.CreateDirectory(folder);
            AtomicOutput.WriteFile(path, stream =>
            {
                using Utf8JsonWriter json = new(stream);
                json.WriteStartObject();
                json.WriteString("fingerprint", fingerprint);
                json.WriteStartArray("logps");
                foreach (double value in scores.Values)
                {
                    json.WriteNumberValue(value);
                }

                json.WriteEndArray();
                json.WriteEndObject();
            });
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new TrainingStateException(path, $"the reference scores could not be written: {exception.Message}", exception);
        }
    }
}
