using System.Text.Json;
using System.Text.Unicode;

namespace Aries;

/// <summary>A JSON file of a model, read so that every fault is a <see cref="ModelFormatException"/> that names file, key and value.</summary>
internal sealed class ModelJson : IDisposable
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    private readonly JsonDocument _document;

    private ModelJson(string file, JsonDocument document)
    {
        _document = document;
        Root = new ModelJsonValue(file, "the root", document.RootElement).Object();
    }

    public ModelJsonObject Root { get; }

    /// <summary>Reads a file whose root is an object.</summary>
    public static ModelJson Read(string file)
    {
        if (!File.Exists(file))
        {
            throw new ModelFormatException(file, "there is no such file.", "Point to a complete Hugging Face model folder.");
        }

        return Parse(File.ReadAllBytes(file), file);
    }

    /// <summary>Parses JSON whose root is an object.</summary>
    public static ModelJson Parse(ReadOnlyMemory<byte> json, string file)
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        if (json.Span.StartsWith(mark))
        {
            json = json[mark.Length..];
        }

        if (!Utf8.IsValid(json.Span))
        {
            throw new ModelFormatException(file, "this is not valid UTF-8.", "Download or write the file again.");
        }

        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json, Options);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a property name that is not valid Unicode, found while looking for duplicates.
            throw new ModelFormatException(file, $"this is not valid JSON ({exception.Message})", "Download or write the file again.", exception);
        }

        try
        {
            return new ModelJson(file, document);
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }

    public void Dispose() => _document.Dispose();
}

/// <summary>A value inside a <see cref="ModelJson"/> with the path of keys that leads to it.</summary>
internal readonly struct ModelJsonValue(string file, string key, JsonElement element)
{
    public string File => file;

    /// <summary>Gets the keys that lead here, joined by dots.</summary>
    public string Key => key;

    public JsonElement Element => element;

    public JsonValueKind Kind => element.ValueKind;

    public ModelJsonObject Object() => Kind == JsonValueKind.Object ? new ModelJsonObject(this) : throw Wrong("an object");

    public string Text()
    {
        if (Kind != JsonValueKind.String)
        {
            throw Wrong("a text");
        }

        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException exception)
        {
            throw new ModelFormatException(file, $"the text of '{key}' is not valid Unicode.", "Correct the file, or download it again.", exception);
        }
    }

    public int Integer() => Kind == JsonValueKind.Number && element.TryGetInt32(out int value) ? value : throw Wrong("a whole number");

    public double Number() =>
        Kind == JsonValueKind.Number && element.TryGetDouble(out double value) && double.IsFinite(value) ? value : throw Wrong("a number");

    public bool Boolean() => Kind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("true or false"),
    };

    public IEnumerable<ModelJsonValue> Items()
    {
        if (Kind != JsonValueKind.Array)
        {
            throw Wrong("a list");
        }

        (string owner, string path) = (file, key);
        return element.EnumerateArray().Select((item, index) => new ModelJsonValue(owner, $"{path}[{index}]", item));
    }

    /// <summary>Makes the error of a value that is valid JSON but not what is wanted here.</summary>
    public ModelFormatException Wrong(string wanted, string fix = "Correct the file, or download it again.")
    {
        string raw = element.ValueKind == JsonValueKind.Undefined ? "nothing" : element.GetRawText();
        string shown = raw.Length <= 100 ? raw : string.Concat(raw.AsSpan(0, 100), "…");
        return new ModelFormatException(file, $"'{key}' is {shown}, but must be {wanted}.", fix);
    }
}

/// <summary>An object inside a <see cref="ModelJson"/>. A key whose value is null counts as absent.</summary>
internal readonly struct ModelJsonObject(ModelJsonValue value)
{
    public string File => value.File;

    public ModelJsonValue Value => value;

    public ModelJsonValue? Find(string key) =>
        value.Element.TryGetProperty(key, out JsonElement found) && found.ValueKind != JsonValueKind.Null
            ? new ModelJsonValue(value.File, PathOf(key), found)
            : null;

    public ModelJsonValue Required(string key) =>
        Find(key) ?? throw new ModelFormatException(value.File, $"there is no '{PathOf(key)}'.", "Add it, or download the file again.");

    public ModelJsonObject RequiredObject(string key) => Required(key).Object();

    public int? Integer(string key) => Find(key)?.Integer();

    public double? Number(string key) => Find(key)?.Number();

    public bool? Boolean(string key) => Find(key)?.Boolean();

    public string? Text(string key) => Find(key)?.Text();

    /// <summary>Reads a whole number that must be there and be positive.</summary>
    public int Positive(string key)
    {
        ModelJsonValue found = Required(key);
        int number = found.Integer();
        return number > 0 ? number : throw found.Wrong("greater than 0");
    }

    public IEnumerable<(string Name, ModelJsonValue Value)> Members()
    {
        ModelJsonValue owner = value;
        foreach (JsonProperty property in owner.Element.EnumerateObject())
        {
            string name = NameOf(property, owner);
            yield return (name, new ModelJsonValue(owner.File, owner.Key == "the root" ? name : $"{owner.Key}.{name}", property.Value));
        }
    }

    private static string NameOf(JsonProperty property, ModelJsonValue owner)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException exception)
        {
            throw new ModelFormatException(owner.File, $"a name in '{owner.Key}' is not valid Unicode.", "Correct the file, or download it again.", exception);
        }
    }

    private string PathOf(string key) => value.Key == "the root" ? key : $"{value.Key}.{key}";
}
