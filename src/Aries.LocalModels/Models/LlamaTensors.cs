namespace Aries;

/// <summary>Holds the weights of a folder to its configuration.</summary>
internal static class LlamaTensors
{
    /// <summary>Checks that a folder's weights are those that its configuration asks for, all of them and no others, before anything is allocated.</summary>
    /// <exception cref="ModelFormatException">A tensor is missing, superfluous, of another shape, or of a type that holds no plain floats.</exception>
    public static void Check(LlamaConfig config, SafetensorsFolder source)
    {
        HashSet<string> known = new(StringComparer.Ordinal);
        foreach (LlamaTensorShape wanted in LlamaTensorShape.Of(config))
        {
            known.Add(wanted.Name);
            CheckTensor(wanted, source);
        }

        // A tied head may be stored beside the embedding; old Llama 2 files hold the rotary frequencies, which follow from the configuration.
        string? surplus = source.Names.FirstOrDefault(
            name => !known.Contains(name) && name != "lm_head.weight" && !name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal));
        if (surplus is not null)
        {
            throw new ModelFormatException(
                source.Source,
                $"the weights hold '{surplus}', for which config.json has no place.",
                "The two do not belong together, or the model is not of the kind that config.json names: download both again.");
        }
    }

    private static void CheckTensor(LlamaTensorShape wanted, SafetensorsFolder source)
    {
        if (!source.TryGet(wanted.Name, out SafetensorsFile file, out SafetensorsEntry entry))
        {
            string fix = wanted.Name == "lm_head.weight"
                ? "Set \"tie_word_embeddings\": true in config.json if the model's head is its embedding; otherwise download the weights again."
                : "config.json and the weights do not belong together, or a shard is missing: download both again.";
            throw new ModelFormatException(source.Source, $"the weights lack '{wanted.Name}' of shape {wanted.ShapeText}.", fix);
        }

        if (!entry.Shape.SequenceEqual(wanted.Shape))
        {
            throw new ModelFormatException(
                file.Path,
                $"the tensor '{wanted.Name}' has the shape {entry.ShapeText}, but config.json asks for {wanted.ShapeText} ({wanted.Keys}).",
                "config.json and the weights do not belong together: download both again.");
        }

        if (entry.Type == SafetensorsType.Other)
        {
            throw new ModelFormatException(
                file.Path, $"the tensor '{wanted.Name}' has the dtype {entry.TypeName}.", "Quantised weights cannot be read: use the model's F32, F16 or BF16 weights.");
        }

        if (entry.ElementCount > Array.MaxLength)
        {
            throw new ModelFormatException(
                file.Path, $"the tensor '{wanted.Name}' has {entry.ElementCount} elements, more than the {Array.MaxLength} that one array holds.", "Use a smaller model.");
        }
    }
}
