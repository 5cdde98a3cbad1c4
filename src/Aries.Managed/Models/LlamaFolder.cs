namespace Aries.Managed;

/// <summary>Reads and writes Llama-family models as Hugging Face folders: <c>config.json</c> and safetensors.</summary>
internal static class LlamaFolder
{
    /// <summary>Reads a Hugging Face folder, or a llama2.c checkpoint file.</summary>
    /// <param name="modelPath">The folder, or the file.</param>
    /// <param name="storage">How the matrices are packed, to be read only; null for plain float32, which can be trained and saved.</param>
    /// <param name="place">Weights whose memory the folder's take where both compute alike, or null; only plain float32 is read into a place.</param>
    /// <returns>The configuration, and weights that belong to the caller alone.</returns>
    /// <exception cref="ModelFormatException">A file is missing or malformed, the two disagree, or the model is of another kind.</exception>
    public static (LlamaConfig Config, LlamaWeights Weights) Load(
        string modelPath, WeightStorage? storage = null, (LlamaConfig Config, LlamaWeights Weights)? place = null)
    {
        if (File.Exists(modelPath))
        {
            (LlamaConfig fileConfig, LlamaWeights fileWeights) = Llama2cCheckpoint.Load(modelPath);
            return (fileConfig, storage is { } packing ? fileWeights.Pack(fileConfig, packing) : fileWeights);
        }

        LlamaConfig config = LlamaConfigReader.Read(modelPath);
        using SafetensorsFolder source = SafetensorsFolder.Open(modelPath);
        LlamaTensors.Check(config, source);
        Dictionary<string, Parameter> places = place is { } taken && taken.Config.ComputesLike(config)
            ? taken.Weights.Parameters().ToDictionary(parameter => parameter.Name, StringComparer.Ordinal)
            : [];
        return (config, LlamaWeights.Create(config, (name, rows, columns) => ReadTensor(source, name, rows, columns, storage, places.GetValueOrDefault(name))));
    }

    /// <summary>Writes a folder aside and renames it when it is whole and flushed to disk; an earlier folder of that name is replaced.</summary>
    /// <param name="folder">The folder to write.</param>
    /// <param name="config">The shape of the model.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="sourcePath">
    /// The folder that the model came from, or null: its tokenizer files and its generation configuration are copied, and its <c>config.json</c> too where it says what
    /// <paramref name="config"/> says, so that keys which the engine does not know survive. Or the llama2.c file that it came from, whose tokenizer is copied
    /// and, where every piece of it has a spelling of its own, also written as <c>tokenizer.json</c>.
    /// </param>
    /// <param name="type">How the weights are stored.</param>
    /// <exception cref="IOException">The folder could not be written; nothing of it is left.</exception>
    public static void Save(
        string folder, LlamaConfig config, LlamaWeights weights, string? sourcePath = null, WeightType type = WeightType.Float32)
    {
        string? sourceFolder = File.Exists(sourcePath) ? null : sourcePath;
        string? tokenizer = File.Exists(sourcePath) ? Llama2cTokenizerFile.Find(sourcePath) : null;
        AtomicOutput.WriteFolder(folder, aside =>
        {
            SafetensorsWriter.Write(
                Path.Combine(aside, "model.safetensors"), weights.Parameters().Select(parameter => SafetensorsTensor.Of(parameter)), type);
            WriteConfig(Path.Combine(aside, "config.json"), config, sourceFolder, type);
            if (sourceFolder is not null)
            {
                CompanionFiles.Copy(sourceFolder, aside);
            }

            if (tokenizer is not null)
            {
                CompanionFiles.CopyFile(tokenizer, Path.Combine(aside, "tokenizer.bin"));
                _ = Llama2cTokenizerWriter.Write(tokenizer, aside);
            }

            string generation = Path.Combine(aside, "generation_config.json");
            if (!File.Exists(generation))
            {
                AtomicOutput.WriteFile(generation, stream => LlamaConfigWriter.WriteGeneration(stream, config));
            }
        });
    }

    private static Parameter ReadTensor(SafetensorsFolder source, string name, int rows, int columns, WeightStorage? storage, Parameter? place)
    {
        _ = source.TryGet(name, out SafetensorsFile file, out _);
        if (rows > 1 && storage is { } packing)
        {
            return new Parameter(name, PackedMatrix.Pack(
                rows, columns, packing, VectorWidth.Default, (first, values) => file.ReadSingles(name, (long)first * columns, values)));
        }

        Parameter parameter = place ?? new Parameter(name, rows, columns);
        file.ReadSingles(name, parameter.Values);
        return parameter;
    }

    private static void WriteConfig(string path, LlamaConfig config, string? sourceFolder, WeightType type)
    {
        if (sourceFolder is not null && File.Exists(Path.Combine(sourceFolder, "config.json")) && SaysTheSame(LlamaConfigReader.Read(sourceFolder), config))
        {
            using ModelJson source = ModelJson.Read(Path.Combine(sourceFolder, "config.json"));
            AtomicOutput.WriteFile(path, stream => LlamaConfigWriter.WriteCopy(stream, source.Root, type));
            return;
        }

        AtomicOutput.WriteFile(path, stream => LlamaConfigWriter.Write(stream, config, type));
    }

    /// <summary>Compares all but the beginning token: a model that never uses the one of its <c>config.json</c> is loaded without.</summary>
    private static bool SaysTheSame(LlamaConfig left, LlamaConfig right) =>
        left.EndTokenIds.SequenceEqual(right.EndTokenIds) && left.ComputesLike(right);
}
