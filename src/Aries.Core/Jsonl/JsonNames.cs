namespace Aries;

/// <summary>The names of an enum's values in files; they never follow a rename in the code.</summary>
internal sealed class JsonNames<T>(params (T Value, string Name)[] names)
    where T : struct, Enum
{
    public string Name(T value)
    {
        foreach ((T known, string name) in names)
        {
            if (EqualityComparer<T>.Default.Equals(known, value))
            {
                return name;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(value), value, $"{typeof(T).Name} has no such value.");
    }

    public T Parse(JsonlObject line, string key, string text)
    {
        foreach ((T value, string name) in names)
        {
            if (name == text)
            {
                return value;
            }
        }

        throw line.Error($"The key \"{key}\" holds \"{text}\"; known are {string.Join(", ", names.Select(pair => pair.Name))}.");
    }
}
