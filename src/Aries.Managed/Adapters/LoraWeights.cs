namespace Aries.Managed;

/// <summary>The matrices of a low-rank adapter for every layer of a model.</summary>
internal sealed class LoraWeights
{
    public required LoraOptions Options { get; init; }

    /// <summary>Gets the layers, first to last.</summary>
    public required IReadOnlyList<LoraLayerWeights> Layers { get; init; }

    /// <summary>Gets alpha ÷ rank.</summary>
    public float Scale => Options.Alpha / Options.Rank;

    /// <summary>Lists every matrix once, in a fixed order: the order of optimiser state and of saved files.</summary>
    public IEnumerable<Parameter> Parameters() =>
        Layers.SelectMany(layer => layer.Pairs()).SelectMany(pair => new[] { pair.A, pair.B });

    /// <summary>Makes a copy that is only read, packed.</summary>
    public LoraWeights Pack() => new() { Options = Options, Layers = [.. Layers.Select(layer => layer.Pack())] };

    /// <summary>Allocates an adapter of zeros for a model.</summary>
    public static LoraWeights Allocate(LlamaWeights model, LoraOptions options) => new()
    {
        Options = options with { },
        Layers = [.. model.Layers.Select(layer => LoraLayerWeights.Allocate(layer, options))],
    };
}

/// <summary>The adapters of one layer; null where the projection has none.</summary>
internal sealed class LoraLayerWeights
{
    public LoraPair? Query { get; init; }

    public LoraPair? Key { get; init; }

    public LoraPair? Value { get; init; }

    public LoraPair? Output { get; init; }

    public LoraPair? Gate { get; init; }

    public LoraPair? Up { get; init; }

    public LoraPair? Down { get; init; }

    public IEnumerable<LoraPair> Pairs()
    {
        LoraPair?[] all = [Query, Key, Value, Output, Gate, Up, Down];
        return all.OfType<LoraPair>();
    }

    /// <inheritdoc cref="LoraWeights.Pack"/>
    public LoraLayerWeights Pack() => new()
    {
        Query = Query?.Pack(),
        Key = Key?.Pack(),
        Value = Value?.Pack(),
        Output = Output?.Pack(),
        Gate = Gate?.Pack(),
        Up = Up?.Pack(),
        Down = Down?.Pack(),
    };

    public static LoraLayerWeights Allocate(LlamaLayerWeights layer, LoraOptions options)
    {
        LoraPair? Pair(LoraProjections projection, Parameter weight) =>
            options.Targets.HasFlag(projection) ? LoraPair.Allocate(weight, options.Rank) : null;

        return new LoraLayerWeights
        {
            Query = Pair(LoraProjections.Query, layer.Query),
            Key = Pair(LoraProjections.Key, layer.Key),
            Value = Pair(LoraProjections.Value, layer.Value),
            Output = Pair(LoraProjections.Output, layer.Output),
            Gate = Pair(LoraProjections.Gate, layer.Gate),
            Up = Pair(LoraProjections.Up, layer.Up),
            Down = Pair(LoraProjections.Down, layer.Down),
        };
    }
}

/// <summary>A, shape [rank, in], and B, shape [out, rank], under the base weight's name.</summary>
internal sealed record LoraPair(Parameter A, Parameter B)
{
    /// <inheritdoc cref="LoraWeights.Pack"/>
    public LoraPair Pack() => new(A.Pack(WeightStorage.Float32), B.Pack(WeightStorage.Float32));

    public static LoraPair Allocate(Parameter weight, int rank)
    {
        string stem = weight.Name[..^".weight".Length];
        return new LoraPair(
            new Parameter($"{stem}.lora_A.weight", rank, weight.Columns),
            new Parameter($"{stem}.lora_B.weight", weight.Rows, rank));
    }
}
