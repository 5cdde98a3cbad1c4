using System.Text.Json;
using Aries.Preferences;

namespace Aries.Managed;

/// <summary>The means of a training's metrics over its steps; of the token count the last value.</summary>
internal sealed class MetricMeans
{
    private readonly SortedDictionary<string, (double Sum, int Count)> _entries = new(StringComparer.Ordinal);

    public void Add(IReadOnlyDictionary<string, double> metrics)
    {
        foreach ((string name, double value) in metrics)
        {
            (double sum, int count) = _entries.GetValueOrDefault(name);
            _entries[name] = name == PreferenceMetricNames.TokenCount ? (value, 1) : (sum + value, count + 1);
        }
    }

    public Dictionary<string, double> ToDictionary() => _entries.ToDictionary(entry => entry.Key, entry => entry.Value.Sum / entry.Value.Count);

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        foreach ((string name, (double sum, int count)) in _entries)
        {
            json.WriteStartArray(name);
            json.WriteNumberValue(sum);
            json.WriteNumberValue(count);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    public void Read(JsonElement json)
    {
        _entries.Clear();
        foreach (JsonProperty entry in json.EnumerateObject())
        {
            _entries[entry.Name] = (entry.Value[0].GetDouble(), entry.Value[1].GetInt32());
        }
    }
}
