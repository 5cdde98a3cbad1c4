namespace Aries.Managed;

/// <summary>A gradient for each trained tensor: either all weights, or those of an adapter.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class ModelGradients
{
    // 1 MB: less is not worth a thread.
    private const int ClearedAtOnce = 1 << 18;

    private ModelGradients(LlamaWeights? full, LoraWeights? adapter)
    {
        Full = full;
        Adapter = adapter;
        Parameters = [.. full?.Parameters() ?? adapter!.Parameters()];
    }

    /// <summary>Gets the gradients of all weights, or null where an adapter is trained.</summary>
    public LlamaWeights? Full { get; }

    /// <summary>Gets the gradients of an adapter, or null where all weights are trained.</summary>
    public LoraWeights? Adapter { get; }

    /// <summary>Gets every gradient in the order of the weights' own <c>Parameters()</c>.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    public static ModelGradients ForAllWeights(LlamaConfig config) => new(LlamaWeights.Allocate(config), null);

    public static ModelGradients ForAdapter(LlamaWeights model, LoraOptions options) => new(null, LoraWeights.Allocate(model, options));

    /// <summary>Sets every gradient to 0.</summary>
    public void Clear(WorkerPool pool)
    {
        for (int index = 0; index < Parameters.Count; index++)
        {
            float[] values = Parameters[index].Values;
            pool.RunBlocks(values.Length, ClearedAtOnce, values, static (values, start, end) => values.AsSpan(start, end - start).Clear());
        }
    }
}
