namespace Aries;

/// <summary>The two inputs of a graph that a LoRA adapter of one projection goes to: x·A is [.., rank], x·A·B is added to the projection's output.</summary>
/// <param name="Module">The projection's full name, such as <c>model.layers.0.self_attn.q_proj</c>; the inputs' names are it and <see cref="Down"/> or <see cref="Up"/>.</param>
/// <param name="Inputs">The width of x. A has the shape [inputs, rank].</param>
/// <param name="Outputs">The width of the projection's output. B has the shape [rank, outputs].</param>
/// <param name="Type">The type of both.</param>
internal sealed record AdapterSlot(string Module, int Inputs, int Outputs, GraphFloatType Type)
{
    /// <summary>The end of the names of A.</summary>
    public const string Down = ".lora_A.weight";

    /// <summary>The end of the names of B.</summary>
    public const string Up = ".lora_B.weight";

    /// <summary>Finds the slots among the inputs of a graph.</summary>
    /// <param name="inputs">The inputs, of whatever use.</param>
    /// <param name="modelFolder">The model's folder, for messages.</param>
    /// <exception cref="ModelFormatException">A slot lacks its other half, or has a shape or type that adapters do not have.</exception>
    public static IReadOnlyList<AdapterSlot> Find(IEnumerable<GraphInput> inputs, string modelFolder)
    {
        ILookup<string, GraphInput> byName = inputs.ToLookup(input => input.Name, StringComparer.Ordinal);
        return
        [
            .. byName
                .Where(group => group.Key.EndsWith(Down, StringComparison.Ordinal))
                .Select(group => Pair(group.Key[..^Down.Length], group.First(), byName[group.Key[..^Down.Length] + Up].FirstOrDefault(), modelFolder)),
        ];
    }

    private static AdapterSlot Pair(string module, GraphInput down, GraphInput? up, string modelFolder)
    {
        if (up is not { Dimensions: [_, > 0 and <= int.MaxValue and long outputs] }
            || down is not { Dimensions: [> 0 and <= int.MaxValue and long inputs, _] }
            || up.ElementType != down.ElementType
            || !Enum.IsDefined((GraphFloatType)down.ElementType))
        {
            throw new ModelFormatException(
                modelFolder,
                $"the graph's inputs for an adapter of {module} are not two matrices of floats, [inputs, rank] and [rank, outputs].",
                "Write the folder again with GenAIModelWriter and GenAIModelOptions.AdapterTargets.");
        }

        return new AdapterSlot(module, (int)inputs, (int)outputs, (GraphFloatType)down.ElementType);
    }
}
