namespace Aries.Managed;

/// <summary>One tensor of weights, under its Hugging Face name.</summary>
/// <threadsafety>The values are shared and mutable: only a trainer writes them, and only to a model that it owns.</threadsafety>
internal sealed class Parameter
{
    public Parameter(string name, int rows, int columns)
        : this(name, rows, columns, new float[checked(rows * columns)])
    {
    }

    public Parameter(string name, int rows, int columns, float[] values)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, checked(rows * columns), nameof(values));
        (Name, Rows, Columns, Values) = (name, rows, columns, values);
    }

    public string Name { get; }

    /// <summary>Gets the number of outputs of a projection, of tokens of an embedding, or 1 for a vector (a norm or a bias).</summary>
    public int Rows { get; }

    public int Columns { get; }

    /// <summary>Gets the values. Shape [Rows, Columns], row-major, as Hugging Face stores them.</summary>
    public float[] Values { get; }
}
