namespace Aries;

/// <summary>The weights of a folder, be they in one file or in shards that <c>*.safetensors.index.json</c> lists.</summary>
internal sealed class SafetensorsFolder : IDisposable
{
    private const string FixIndex = "The folder mixes files of different downloads: download all of its weights again.";

    private readonly List<SafetensorsFile> _files;
    private readonly Dictionary<string, SafetensorsFile> _fileOf = new(StringComparer.Ordinal);

    private SafetensorsFolder(string source, List<SafetensorsFile> files)
    {
        (Source, _files) = (source, files);
        foreach (SafetensorsFile file in files)
        {
            foreach (string name in file.Header.Entries.Keys)
            {
                if (!_fileOf.TryAdd(name, file))
                {
                    throw new ModelFormatException(file.Path, $"the tensor '{name}' is in another shard too.", FixIndex);
                }
            }
        }
    }

    /// <summary>Gets the path of the file, or of the index.</summary>
    public string Source { get; }

    /// <summary>Gets the names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => _fileOf.Keys;

    /// <summary>Opens <c>model.safetensors</c>, or the shards of <c>model.safetensors.index.json</c>.</summary>
    /// <exception cref="ModelFormatException">There is neither, or one breaks a rule.</exception>
    public static SafetensorsFolder Open(string folder, string stem = "model")
    {
        string single = Path.Combine(folder, $"{stem}.safetensors");
        string index = single + ".index.json";
        List<SafetensorsFile> files = [];
        try
        {
            if (File.Exists(single))
            {
                files.Add(SafetensorsFile.Open(single));
                return new SafetensorsFolder(single, files);
            }

            if (!File.Exists(index))
            {
                throw new ModelFormatException(
                    folder,
                    $"the folder has neither {stem}.safetensors nor {stem}.safetensors.index.json.",
                    "Point to a Hugging Face model folder; weights in .bin or .gguf must be converted to safetensors first.");
            }

            return OpenShards(folder, index, files);
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    /// <summary>Finds a tensor.</summary>
    public bool TryGet(string name, out SafetensorsFile file, out SafetensorsEntry entry)
    {
        if (_fileOf.TryGetValue(name, out SafetensorsFile? found))
        {
            (file, entry) = (found, found.Header.Entries[name]);
            return true;
        }

        (file, entry) = (null!, null!);
        return false;
    }

    public void Dispose() => _files.ForEach(file => file.Dispose());

    private static SafetensorsFolder OpenShards(string folder, string index, List<SafetensorsFile> files)
    {
        using ModelJson json = ModelJson.Read(index);
        ModelJsonObject map = json.Root.RequiredObject("weight_map");
        Dictionary<string, string> fileOf = new(StringComparer.Ordinal);
        foreach ((string name, ModelJsonValue value) in map.Members())
        {
            string fileName = value.Text();
            if (fileName is "" or "." or ".." || fileName.AsSpan().ContainsAny("/\\:\0"))
            {
                throw new ModelFormatException(index, $"the tensor '{name}' is said to be in '{fileName}', which is no plain file name.", FixIndex);
            }

            fileOf.Add(name, fileName);
        }

        files.AddRange(fileOf.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(name => SafetensorsFile.Open(Path.Combine(folder, name))));
        SafetensorsFolder result = new(index, files);
        foreach ((string name, string fileName) in fileOf)
        {
            if (!result.TryGet(name, out SafetensorsFile file, out _) || Path.GetFileName(file.Path) != fileName)
            {
                throw new ModelFormatException(index, $"the tensor '{name}' is not in {fileName}, where the index says it is.", FixIndex);
            }
        }

        string? unlisted = result.Names.FirstOrDefault(name => !fileOf.ContainsKey(name));
        return unlisted is null
            ? result
            : throw new ModelFormatException(index, $"a shard holds the tensor '{unlisted}', which the index does not list.", FixIndex);
    }
}
