namespace Aries.Managed;

/// <summary>A model in memory with an adapter where it has one.</summary>
internal sealed record TrainedModel(LlamaConfig Config, LlamaWeights Weights, LoraWeights? Adapter)
{
    /// <summary>Lists what training changes: the adapter, or all weights where there is none.</summary>
    public IEnumerable<Parameter> Trained() => Adapter?.Parameters() ?? Weights.Parameters();

    public ModelGradients CreateGradients() => Adapter is null
        ? ModelGradients.ForAllWeights(Config)
        : ModelGradients.ForAdapter(Weights, Adapter.Options);
}
