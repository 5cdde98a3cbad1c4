namespace Aries.Managed;

/// <summary>Makes new models: random weights to train from the beginning.</summary>
/// <threadsafety>Every member may be called concurrently, for folders of their own.</threadsafety>
public static class LlamaInitializer
{
    /// <summary>Writes a model folder with random weights, the same ones for the same seed.</summary>
    /// <remarks>
    /// Normal values: embeddings and an untied head with deviation 0.02, projections with 0.8 ÷ √inputs; those that write to the residual stream are divided by √(2·layers), so that its
    /// variance does not grow with depth (Radford et al. 2019, section 2.3). Norms are 1, biases 0.
    /// </remarks>
    /// <param name="folder">The folder to write; an earlier one of that name is replaced.</param>
    /// <param name="config">The shape of the model.</param>
    /// <param name="tokenizerFolder">The folder whose tokenizer files are copied.</param>
    /// <param name="seed">The seed.</param>
    /// <returns>The checkpoint.</returns>
    /// <exception cref="ArgumentException">An argument is null or empty, or the sizes of <paramref name="config"/> make no model.</exception>
    /// <exception cref="ModelFormatException">There is no <paramref name="tokenizerFolder"/>, or its <c>config.json</c> is malformed.</exception>
    /// <exception cref="IOException">The folder could not be written; nothing of it is left.</exception>
    public static PolicyCheckpoint Create(string folder, LlamaConfig config, string tokenizerFolder, int seed)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentException.ThrowIfNullOrWhiteSpace(tokenizerFolder);
        CheckSizes(config);
        if (!Directory.Exists(tokenizerFolder))
        {
            throw new ModelFormatException(tokenizerFolder, "there is no such folder.", "Name the folder that holds the tokenizer's files.");
        }

        LlamaWeights weights = LlamaWeights.Allocate(config);
        Fill(weights, new Random(seed));
        LlamaFolder.Save(folder, config, weights, tokenizerFolder);
        return new PolicyCheckpoint(folder);
    }

    private static void CheckSizes(LlamaConfig config)
    {
        int[] sizes =
        [
            config.HiddenSize, config.IntermediateSize, config.LayerCount, config.HeadCount, config.KeyValueHeadCount, config.HeadSize, config.VocabularySize, config.ContextLength,
        ];
        if (sizes.Any(size => size < 1) || config.HeadCount % config.KeyValueHeadCount != 0 || config.HeadSize % 2 != 0)
        {
            throw new ArgumentException(
                $"The sizes make no model: each must be 1 or more, HeadCount a multiple of KeyValueHeadCount, and HeadSize even. They are {config}.", nameof(config));
        }

        int[] ids = [.. config.EndTokenIds, config.BeginTokenId ?? 0];
        if (ids.Length < 2 || ids.Any(id => id < 0 || id >= config.VocabularySize))
        {
            throw new ArgumentException(
                $"BeginTokenId and EndTokenIds must be ids below VocabularySize, which is {config.VocabularySize}, and there must be an end; they are {config.BeginTokenId} and [{string.Join(", ", config.EndTokenIds)}].",
                nameof(config));
        }
    }

    /// <summary>Overwrites every weight.</summary>
    internal static void Fill(LlamaWeights weights, Random random)
    {
        double depth = 1 / Math.Sqrt(2.0 * weights.Layers.Count);
        foreach (Parameter parameter in weights.Parameters())
        {
            if (parameter.Rows == 1)
            {
                parameter.Values.AsSpan().Fill(parameter.Name.EndsWith(".bias", StringComparison.Ordinal) ? 0 : 1);
                continue;
            }

            bool isTable = ReferenceEquals(parameter, weights.Embedding) || ReferenceEquals(parameter, weights.Head);
            bool isResidual = weights.Layers.Any(layer => ReferenceEquals(parameter, layer.Output) || ReferenceEquals(parameter, layer.Down));
            double deviation = isTable ? 0.02 : 0.8 / Math.Sqrt(parameter.Columns) * (isResidual ? depth : 1);
            foreach (ref float value in parameter.Values.AsSpan())
            {
                // Box and Muller 1958; 1 − u keeps the logarithm finite.
                double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
                value = (float)(deviation * radius * Math.Cos(2 * Math.PI * random.NextDouble()));
            }
        }
    }
}
